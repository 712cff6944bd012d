#!/bin/bash
# S1-45: the document has no example of it.
for word; do
	case $word in
	--id=*) id=${word#--id=} ;;
	--disk=*) disk=${word#--disk=} ;;
	esac
done
setquota "$id" "$disk" || exit 1
echo "OK"
