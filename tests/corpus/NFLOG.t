*filter
:INPUT
-j NFLOG;=;OK
-j NFLOG --nflog-group 1;=;OK
-j NFLOG --nflog-group 65535;=;OK
-j NFLOG --nflog-group 0;-j NFLOG;OK
-j NFLOG --nflog-prefix x --nflog-group 5 --nflog-size 128 --nflog-threshold 7;=;OK
-j NFLOG --nflog-prefix "a b: ";=;OK
-j NFLOG --nflog-size 0;=;OK
-j NFLOG --nflog-threshold 0;-j NFLOG;OK
-j NFLOG --nflog-range 128;-j NFLOG;OK
-j NFLOG --nflog-group 65536;;FAIL
-j NFLOG --nflog-size 4294967296;;FAIL
-j NFLOG --nflog-threshold 65536;;FAIL
-j NFLOG --nflog-prefix;;FAIL
-j NFLOG --nflog-prefix "";;FAIL
-j NFLOG --nflog-size 1 --nflog-range 1;;FAIL
