*filter
:INPUT
-m length --length 1;=;OK
-m length --length :2;-m length --length 0:2;OK
-m length --length 3:;-m length --length 3:65535;OK
-m length --length 0:65535;=;OK
-m length ! --length 0:65535;=;OK
-m length ! --length 100:200;=;OK
-m length --length 65536;;FAIL
-m length --length 2:1;;FAIL;;1.8.9 accepts a reversed range
-m length --length -1;;FAIL
-m length;;FAIL
