#!/bin/bash
for word; do
	case $word in
	--id=*) id=${word#--id=} ;;
	esac
done
userdel "$id"
echo "OK"
