*filter
:INPUT
-m dscp --dscp 0x00;=;OK
-m dscp ! --dscp 63;-m dscp ! --dscp 0x3f;OK
-m dscp --dscp-class BE;-m dscp --dscp 0x00;OK
-m dscp --dscp-class EF;-m dscp --dscp 0x2e;OK
-m dscp ! --dscp-class CS7;-m dscp ! --dscp 0x38;OK
-m dscp --dscp-class af43;-m dscp --dscp 0x26;OK
-m dscp --dscp 64;;FAIL
-m dscp --dscp-class AF54;;FAIL
-m dscp --dscp 1 --dscp-class EF;;FAIL
-m dscp;;FAIL
