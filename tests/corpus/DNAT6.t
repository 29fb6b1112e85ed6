# DNAT for IPv6.
@6
*nat
:PREROUTING
-j DNAT --to-destination dead::beef;=;OK
-j DNAT --to-destination dead::beef-dead::fee7;=;OK
-j DNAT --to-destination [dead::beef];-j DNAT --to-destination dead::beef;OK
-p tcp -j DNAT --to-destination [dead::beef]:1025-65535;=;OK
-p tcp -j DNAT --to-destination [dead::beef-dead::fee7]:1025;=;OK
-p tcp -j DNAT --to-destination [dead::beef-dead::fee7]:10-12/13 --random --persistent;=;OK
-p tcp -j DNAT --to-destination :80;=;OK
-j DNAT --to-destination [dead::beef]:80;;FAIL
-p tcp -j DNAT --to-destination [dead::beef:80;;FAIL
-j DNAT --to-destination 1.1.1.1;;FAIL
