#!/bin/bash
for word; do
	case $word in
	--id=*) id=${word#--id=} ;;
	esac
done
usermod -d /dev/null "$id"
echo "OK"
