# What nova writes, and the canonical text of it.
*filter
:FORWARD
-p tcp -m tcp --dport 8775 -d 192.168.1.90 -j ACCEPT;-d 192.168.1.90/32 -p tcp -m tcp --dport 8775 -j ACCEPT;OK;@4
-p tcp -m tcp --dport 8775 -m addrtype --dst-type LOCAL -j ACCEPT;=;OK
-s 10.0.0.0/8 -d 10.0.0.0/8 -m conntrack ! --ctstate DNAT -j ACCEPT;=;OK;@4
-d 10.0.0.2 -p udp --dport 1194 -j ACCEPT;-d 10.0.0.2/32 -p udp -m udp --dport 1194 -j ACCEPT;OK;@4
--in-interface br100 -j DROP;-i br100 -j DROP;OK
--out-interface br100 -j DROP;-o br100 -j DROP;OK
-m state --state ESTABLISHED,RELATED -j ACCEPT;-m state --state RELATED,ESTABLISHED -j ACCEPT;OK
-s 10.10.10.1 -p udp --sport 67 --dport 68 -j ACCEPT;-s 10.10.10.1/32 -p udp -m udp --sport 67 --dport 68 -j ACCEPT;OK;@4
-j ACCEPT -p icmp -s 0.0.0.0/0;-p icmp -j ACCEPT;OK;@4
-j ACCEPT -p icmp -m icmp --icmp-type 8/0 -s 192.168.11.0/24;-s 192.168.11.0/24 -p icmp -m icmp --icmp-type 8/0 -j ACCEPT;OK;@4
-j ACCEPT -p tcp --dport 22 -s 0.0.0.0/0;-p tcp -m tcp --dport 22 -j ACCEPT;OK;@4
-j ACCEPT -p tcp -m multiport --dports 80:81 -s 192.168.10.0/24;-s 192.168.10.0/24 -p tcp -m multiport --dports 80:81 -j ACCEPT;OK;@4
-j ACCEPT -p tcp --dport 22 -s 1.2.3.4/5;-s 0.0.0.0/5 -p tcp -m tcp --dport 22 -j ACCEPT;OK;@4
-m physdev --physdev-in eth0 -d 255.255.255.255 -p udp --dport 67 -j DROP;-d 255.255.255.255/32 -p udp -m physdev --physdev-in eth0 -m udp --dport 67 -j DROP;OK;@4
-p tcp -s 10.99.99.99/32 -m multiport --dports 1:65535 -j DROP;-s 10.99.99.99/32 -p tcp -m multiport --dports 1:65535 -j DROP;OK;@4
-s fe80::1/128 -p icmpv6 -j ACCEPT;-s fe80::1/128 -p ipv6-icmp -j ACCEPT;OK;@6
-j ACCEPT -p icmpv6 -m icmp6 --icmpv6-type 128/0 -s 2001:db8::/32;-s 2001:db8::/32 -p ipv6-icmp -m icmp6 --icmpv6-type 128/0 -j ACCEPT;OK;@6
-p tcp -m tcp --dport 8775 -d 2600:: -j ACCEPT;-d 2600::/128 -p tcp -m tcp --dport 8775 -j ACCEPT;OK;@6
-p tcp --dport -1 -j ACCEPT;;FAIL
-p icmp -m icmp --icmp-type 8/-1 -j ACCEPT;;FAIL;@4
*nat
:POSTROUTING
-s 0.0.0.0/0 -d 169.254.169.254/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 192.168.1.90:8775;-d 169.254.169.254/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 192.168.1.90:8775;OK;@4
-s 0.0.0.0/0 -d 169.254.169.254/32 -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 8775;-d 169.254.169.254/32 -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 8775;OK;@4
-s 10.0.0.0/8 -d 0.0.0.0/0 -j SNAT --to-source 192.168.1.90 -o eth0;-s 10.0.0.0/8 -o eth0 -j SNAT --to-source 192.168.1.90;OK;@4
-s 10.10.10.2 -j SNAT --to 192.168.1.233 -d 10.10.10.2;-s 10.10.10.2/32 -d 10.10.10.2/32 -j SNAT --to-source 192.168.1.233;OK;@4
-s 10.10.10.2 -j SNAT --to 192.168.1.233 -o wlan0;-s 10.10.10.2/32 -o wlan0 -j SNAT --to-source 192.168.1.233;OK;@4
-s 10.10.10.2 -m conntrack --ctstate DNAT -j SNAT --to-source 192.168.1.233;-s 10.10.10.2/32 -m conntrack --ctstate DNAT -j SNAT --to-source 192.168.1.233;OK;@4
-d 192.168.1.233 -j DNAT --to 10.10.10.2;-d 192.168.1.233/32 -j DNAT --to-destination 10.10.10.2;OK;@4
-d 192.168.1.90 -p udp --dport 1000 -j DNAT --to 10.0.0.2:1194;-d 192.168.1.90/32 -p udp -m udp --dport 1000 -j DNAT --to-destination 10.0.0.2:1194;OK;@4
