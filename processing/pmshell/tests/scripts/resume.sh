#!/bin/bash
for word; do
	case $word in
	--id=*) id=${word#--id=} ;;
	esac
done
usermod -d /home/ftp_folder "$id"
echo "OK"
