*filter
:INPUT
-m addrtype --src-type UNICAST;=;OK
-m addrtype --dst-type LOCAL;=;OK
-m addrtype ! --src-type local,BROADCAST ! --dst-type ANYCAST;-m addrtype ! --src-type LOCAL,BROADCAST ! --dst-type ANYCAST;OK;@4
-m addrtype --dst-type LOCAL --limit-iface-in;=;OK
-m addrtype --src-type UNREACHABLE,PROHIBIT;=;OK;@4
-m addrtype --src-type THROW,NAT,XRESOLVE,UNSPEC,MULTICAST,BLACKHOLE;-m addrtype --src-type UNSPEC,MULTICAST,BLACKHOLE,THROW,NAT,XRESOLVE;OK;@4
-m addrtype --src-type un;-m addrtype --src-type UNSPEC;OK;@4
-m addrtype;;FAIL
-m addrtype --limit-iface-in;;FAIL
-m addrtype --src-type LOCAL --limit-iface-in --limit-iface-out;;FAIL
-m addrtype --src-type FOO;;FAIL
-m addrtype --src-type LOCAL,;;FAIL
*filter
:FORWARD
-m addrtype --src-type LOCAL --limit-iface-out;=;OK
