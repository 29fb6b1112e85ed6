# What neutron writes, and the canonical text of it.
*filter
:FORWARD
-s 10.0.0.1 -j RETURN;-s 10.0.0.1/32 -j RETURN;OK;@4
-s 10.0.0.5/24;-s 10.0.0.0/24;OK;@4
-s 0.0.0.0/0 -d 127.0.0.1;-d 127.0.0.1/32;OK;@4
-s 2001:DB8::1/128;-s 2001:db8::1/128;OK;@6
--destination fe80::1;-d fe80::1/128;OK;@6
-d 1.1.1.1 -s 2.2.2.2 -o dev;-s 2.2.2.2/32 -d 1.1.1.1/32 -o dev;OK;@4
-i lo -s 1.1.1.1/32;-s 1.1.1.1/32 -i lo;OK;@4
-p tcp --dport 21;-p tcp -m tcp --dport 21;OK
-p tcp -m tcp -m multiport --sports 10:100 --dport 5;-p tcp -m tcp --dport 5 -m multiport --sports 10:100;OK
-p tcp ! --syn;-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN;OK
-p all;;OK
-p 112;=;OK;;1.8.9 prints names from /etc/protocols
-p 4;=;OK;;1.8.9 prints names from /etc/protocols
-p 94;=;OK;;1.8.9 prints names from /etc/protocols
-p ipip;-p 94;OK;;1.8.9 prints names from /etc/protocols
-p 113;=;OK
-p icmpv6;-p ipv6-icmp;OK
-p icmp --icmp-type echo-request;-p icmp -m icmp --icmp-type 8;OK;@4
-m state --state ESTABLISHED,RELATED;-m state --state RELATED,ESTABLISHED;OK
-m mark --mark 1/0xffff;-m mark --mark 0x1/0xffff;OK
-m comment --comment "one";-m comment --comment one;OK
-m mac --mac-source FA:16:3E:11:11:11;-m mac --mac-source fa:16:3e:11:11:11;OK
-p udplite -m multiport --dports 10;=;OK
-p tcp -m multiport --dports 0:100;=;OK
-p icmp -m icmp --icmp-type 8/0;=;OK;@4
-p ipv6-icmp -m icmp6 --icmpv6-type 8;=;OK;@6
-m physdev --physdev-in tap0 --physdev-is-bridged;=;OK
-i qr-+ -j ACCEPT;=;OK
-m set --match-set one src;=;OK;@4
-m connmark ! --mark 0x0/0xffff0000;=;OK
*mangle
:POSTROUTING
-j MARK --set-mark 0x1;-j MARK --set-xmark 0x1/0xffffffff;OK
-j MARK --set-xmark 0x1/0xffff;=;OK
-j CHECKSUM --checksum-fill;=;OK
-j CONNMARK --save-mark --nfmask 0xffff0000 --ctmask 0xffff0000;=;OK
*raw
:PREROUTING
-j CT --notrack;=;OK
-j CT --zone 4097;=;OK
*nat
:PREROUTING
-j DNAT --to 10.0.0.1;-j DNAT --to-destination 10.0.0.1;OK;@4
-j SNAT --to 10.0.0.1;-j SNAT --to-source 10.0.0.1;OK;@4
-p tcp -j REDIRECT --to-port 80;-p tcp -j REDIRECT --to-ports 80;OK
-p tcp -j DNAT --to-destination 10.0.0.1:10-12/13;=;OK;@4
-j SNAT --to-source 10.0.0.1 --random-fully;=;OK;@4
