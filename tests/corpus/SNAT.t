*nat
:POSTROUTING
-j SNAT --to-source 1.1.1.1;=;OK;@4
-j SNAT --to-source 1.1.1.1-1.1.1.10;=;OK;@4
-p tcp -j SNAT --to-source 1.1.1.1:1025-65535;=;OK;@4
-p tcp -j SNAT --to-source 1.1.1.1:80;=;OK;@4
-j SNAT --to-source 1.1.1.1 --random-fully;=;OK;@4
-j SNAT --to-source 1.1.1.1 --persistent --random-fully --random;-j SNAT --to-source 1.1.1.1 --random --random-fully --persistent;OK;@4
-j SNAT --to-source dead::beef;=;OK;@6
-p udp -j SNAT --to-source [dead::beef]:5-6 --random;=;OK;@6
-j SNAT;;FAIL
-j SNAT --to-source 1.1.1.1:80;;FAIL;@4
-p tcp -j SNAT --to-source 1.1.1.1:10-12/13;;FAIL;@4;stock takes a base, which only DNAT has, and drops it
-j SNAT --to-source nosuch;;FAIL
