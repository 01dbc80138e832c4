#!/bin/sh
# What a guest does with a lease, for dhclient ($reason, $new_...) and udhcpc ($1, $ip ...) alike: address, default
# route and resolver of its own namespace, and the lease as variables in $LEASE. dhcpcd sets the address by itself.
reason=${reason:-$1}
nic=$interface
ip=${new_ip_address:-$ip}
mask=${new_subnet_mask:-$subnet}
gateway=${new_routers:-$router}
servers=${new_domain_name_servers:-$dns}
server=${new_dhcp_server_identifier:-$serverid}
domain=${new_domain_name:-$domain}
case "$reason" in
BOUND | RENEW | REBIND | REBOOT | bound | renew)
    ip -4 address flush dev "$nic"
    ip address add "$ip/$mask" broadcast + dev "$nic"
    [ -n "$gateway" ] && ip route replace default via "${gateway%% *}" dev "$nic"
    {
        [ -n "$domain" ] && echo "search $domain"
        for one in $servers; do echo "nameserver $one"; done
    } >/etc/resolv.conf
    echo "ip=$ip gateway=$gateway server=$server" >>"$LEASE"
    ;;
EXPIRE | FAIL | RELEASE | deconfig)
    ip -4 address flush dev "$nic"
    ;;
esac
