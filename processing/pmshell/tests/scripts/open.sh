#!/bin/bash
# Opens a folder for uploads: an account without a shell. Only the words it knows count.
for word; do
	case $word in
	--user=*) user=${word#--user=} ;;
	--password=*) password=${word#--password=} ;;
	esac
done
useradd "$user" -d "/srv/upload/$user" -m -s /bin/false || exit 1
echo "$password" | passwd --stdin "$user" >/dev/null
echo "OK --id=$user --username=$user --password=$password"
