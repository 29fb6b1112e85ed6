*filter
:INPUT
-p dccp --sport 1;-p dccp -m dccp --sport 1;OK
-p dccp --source-port 1 --destination-port 80;-p dccp -m dccp --sport 1 --dport 80;OK
-p dccp ! --dport 80:90;-p dccp -m dccp ! --dport 80:90;OK
-p dccp -m dccp --dport 0:65535;=;OK
-p dccp --dport 2:1;;FAIL;;1.8.9 accepts a reversed range
-m dccp --dport 1;;FAIL
