# Options of every rule.
*filter
:INPUT
;=;OK
-s 10.11.12.13/8;-s 10.0.0.0/8;OK;@4
-s 10.11.12.13/9;-s 10.0.0.0/9;OK;@4
-s 10/8;-s 10.0.0.0/8;OK;@4
-s 10.1/16;-s 10.1.0.0/16;OK;@4
-s 1.2.3.4;-s 1.2.3.4/32;OK;@4
-s 1.2.3.4/255.255.255.0;-s 1.2.3.0/24;OK;@4
-s 1.2.3.4/255.0.255.0;-s 1.0.3.0/255.0.255.0;OK;@4
! -s 1.2.3.4;! -s 1.2.3.4/32;OK;@4
! --source 1.2.3.0/24;! -s 1.2.3.0/24;OK;@4
--src 1.2.3.4 --dst 5.6.7.8;-s 1.2.3.4/32 -d 5.6.7.8/32;OK;@4
--destination=1.2.3.4 ! --source=5.6.7.8;! -s 5.6.7.8/32 -d 1.2.3.4/32;OK;@4;1.8.9 takes a joined value for the word itself
-s1.2.3.4 -d5.6.7.8;-s 1.2.3.4/32 -d 5.6.7.8/32;OK;@4;1.8.9 takes a joined value for the word itself
-s 0.0.0.0/0;;OK;@4
-d 1.2.3.4/0;;OK;@4
! -s 0.0.0.0/0;=;OK;@4;the kernel refuses stock's empty payload load; here it never matches
! -d 0.0.0.0/0 -j ACCEPT;=;OK;@4;the kernel refuses stock's empty payload load; here it never matches
! -s ::/0;=;OK;@6;the kernel refuses stock's empty payload load; here it never matches
-s 0.0.0.0;-s 0.0.0.0/32;OK;@4
-s 2001:DB8::1;-s 2001:db8::1/128;OK;@6
-s 2001:db8::1/64 -d ff02::1:2;-s 2001:db8::/64 -d ff02::1:2/128;OK;@6
-s ::ffff:1.2.3.4 ! -d ::1.2.3.4;-s ::ffff:1.2.3.4/128 ! -d ::1.2.3.4/128;OK;@6
-s fe80::1/ffff::ffff;=;OK;@6
-s ::/0;;OK;@6
-s ::;-s ::/128;OK;@6
-s 1.2.3.4/33;;FAIL;@4
-s 1.2.3.4/-1;;FAIL;@4
-s 1.2.3.4/255.255;;FAIL;@4
-s 1.2.3.4.5;;FAIL;@4
-s 256.1.1.1;;FAIL;@4
-s ::1;;FAIL;@4
-s 1.2.3.4;;FAIL;@6
-s ::1/129;;FAIL;@6
-s fe80::1%lo;;FAIL;@6;stock drops the zone
-s no.such.host.invalid;;FAIL
-s;;FAIL
-s 1.2.3.4 -s 1.2.3.5;;FAIL;@4
-s 1.2.3.4 --src 1.2.3.5;;FAIL;@4
! -s 1.2.3.4,1.2.3.5;;FAIL;@4
-s 1.2.3.4 !;;FAIL;@4
! ! -s 1.2.3.4;;FAIL;@4
!;;FAIL
-s ! 1.2.3.4;;FAIL;@4
-i eth0;=;OK
-ieth0 -jACCEPT;-i eth0 -j ACCEPT;OK;;1.8.9 takes a joined value for the word itself
--in-interface eth0 ! --out-interface eth1;;FAIL
-i eth+;=;OK
! -i eth+;=;OK
-i +;;OK
! -i +;=;OK
-i eth-0.1:2@x;=;OK
-i qg-1f2e3d4c-5bx;=;OK
-i qg-1f2e3d4c-5bxy;;FAIL
-i "";;FAIL
-i eth0 -i eth1;;FAIL
-o eth0;;FAIL
-p tcp;=;OK
-p TCP;-p tcp;OK
-ptcp;-p tcp;OK;;1.8.9 looks for a protocol named `-ptcp'
--protocol=udp;-p udp;OK;;1.8.9 looks for a protocol named `--protocol=udp'
--proto udp;-p udp;OK
--protocol sctp;-p sctp;OK
-p 6;-p tcp;OK
-p 0x11;-p udp;OK
! -p udp;=;OK
-p all;;OK
-p 0;;OK
! -p all;;FAIL
! -p 0;;FAIL
-p udplite;=;OK
-p icmp;=;OK
-p icmpv6;-p ipv6-icmp;OK
-p 58;-p ipv6-icmp;OK
-p esp;=;OK
-p ah;=;OK
-p mh;-p mobility-header;OK
-p dccp;=;OK
-p ipcomp;=;OK
-p gre;-p 47;OK;;1.8.9 prints names from /etc/protocols
-p 47;=;OK;;1.8.9 prints names from /etc/protocols
-p 253;=;OK
-p 255;=;OK
-p 256;;FAIL
-p -1;;FAIL
-p nosuchprotocol;;FAIL
-p tcp -p udp;;FAIL
-f;=;OK;@4
! -f;=;OK;@4
--fragments -j ACCEPT;-f -j ACCEPT;OK;@4
-f;;FAIL;@6
-fs 1.2.3.4 -j DROP;-s 1.2.3.4/32 -f -j DROP;OK;@4
-j ACCEPT;=;OK
-j DROP;=;OK
-j RETURN;=;OK
--jump ACCEPT;-j ACCEPT;OK
--jum DROP;-j DROP;OK
-j CONTINUE;;OK;;1.8.9 looks for a chain of that name
-j other;=;OK
-g other;=;OK
--goto other;-g other;OK
-j ACCEPT -j DROP;;FAIL
-j ACCEPT -g other;;FAIL
! -j ACCEPT;;FAIL
-j;;FAIL
-j this-name-is-longer-than-it-may-be;;FAIL
-j -x;;FAIL
-g ACCEPT;;FAIL
-m nosuchmatch;;FAIL
-m;;FAIL
--nosuchoption;;FAIL
-q;;FAIL
bare;;FAIL
-j ACCEPT extra;;FAIL
-c 1 2 -j ACCEPT;-j ACCEPT;OK
--set-counters 1,2 -j ACCEPT;-j ACCEPT;OK
-c 1 x;;FAIL
-c x 1;;FAIL
-c 1;;FAIL
-t nat -j ACCEPT;;FAIL
--d 1.2.3.4;;FAIL;@4
--fragments=1;;FAIL;@4
-d D -s S;;FAIL
*nat
:PREROUTING
-j DROP;;FAIL
-o eth0;;FAIL
*filter
:OUTPUT
-i eth0;;FAIL
-o eth0 -j ACCEPT;=;OK
