*mangle
:PREROUTING
-m tos --tos Minimize-Delay;-m tos --tos 0x10/0x3f;OK
-m tos --tos maximize-throughput;-m tos --tos 0x08/0x3f;OK
-m tos ! --tos Normal-Service;-m tos ! --tos 0x00/0x3f;OK
-m tos --tos 0xff;-m tos --tos 0xff/0xff;OK
-m tos ! --tos 0x04/0x0f;=;OK
-m tos --tos 16/0x3f;-m tos --tos 0x10/0x3f;OK
-m tos --tos 256;;FAIL
-m tos --tos nosuch;;FAIL
-m tos --tos 1/256;;FAIL
-m tos;;FAIL
