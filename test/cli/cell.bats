#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# cell, and put, get, watch, stat, hexdump and ls of one.
load helper

make_quote() { comap cell quote create --fields 't:f8,bid:f8,ask:f8,sym:s16' --keep "$@"; }

# Every kind of field, and padding.
make_all() {
    comap cell all create --fields 'a:i1,b:u1,x6,c:i2,d:u2,e:i4,f:u4,g:i8,h:u8,i:f4,j:f8,k:b1,l:s8,m:i4[2,2],n:u1[3],o:s4[2],p:b1[2],q:f4[2]' --keep
}

# fails STATUS WORD... -- COMMAND...: it ends so, and its message has each of the words.
fails() {
    local wanted=$1 words=()
    shift
    while [ "$1" != -- ]; do words+=("$1"); shift; done
    shift
    run --separate-stderr comap "$@"
    [ "$status" -eq "$wanted" ] || { echo "$*: exit $status: $stderr" >&2; return 1; }
    [ -z "$output" ] || { echo "$*: output $output" >&2; return 1; }
    local word
    for word in "${words[@]}"; do
        [[ $stderr == *"$word"* ]] || { echo "$*: no '$word' in: $stderr" >&2; return 1; }
    done
}

# take_role FILE: a process that has the writer's role of the cell in that file; $CHILD is its pid.
take_role() {
    command -v python3 >/dev/null || skip "no python3"
    background "$WORK/writer" python3 -c '
import fcntl, struct, sys, time
file = open(sys.argv[1], "r+b", buffering=0)
fcntl.fcntl(file, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 1, 1, 0))  # F_OFD_SETLK
print("taken", flush=True)
time.sleep(1000)' "$1"
    eventually grep -q taken "$WORK/writer.out"
}

@test "cell create makes one of zeros; --keep, --hold, --mode as of other objects" {
    make_quote --mode 0640
    [ "$(comap ls --noheadings -o kind,layout,version,state,mode quote)" = "cell  cell  0  kept  0640" ]
    run -0 comap get quote
    [ "$output" = $'t:   0\nbid: 0\nask: 0\nsym: ' ]
    background "$WORK/hold" "$COMAP_BIN" cell held create --fields a:f8 --hold
    eventually grep -qx 'holding held' "$WORK/hold.out"
    comap put held a=1
    kill -TERM "$CHILD"
    ends_with 0 "$CHILD"
    has_no_object held
}

@test "cell create: what is missing or wrong on the line" {
    fails 2 --hold --keep -- cell x create --fields a:f8
    fails 2 --fields -- cell x create --keep
    fails 2 ACTION -- cell x drop --fields a:f8
    fails 2 a:f9 f8 -- cell x create --fields a:f9 --keep
    fails 2 two "'a'" -- cell x create --fields a:f8,a:f4 --keep
    fails 2 -- cell x create --fields '' --keep
    fails 2 70000 65533 -- cell x create --fields a:f8 --history 70000 --keep
    fails 2 65 64 -- cell x create --fields a:f8 --writers 65 --keep
    fails 2 64 -- cell x create --fields a:f8 --writers 0 --keep
    run -2 comap cell x create --fields a:f8 --history -1 --keep
    has_no_object x
    make_quote
    fails 1 "already exists" cell -- cell quote create --fields a:f8 --keep
}

@test "put sets the named fields, others keep their value" {
    make_quote
    comap put quote bid=1.25 sym='EUR USD' ask=1.5
    comap put quote t=100 bid=1.75
    run -0 comap get quote
    [ "$output" = $'t:   100\nbid: 1.75\nask: 1.5\nsym: EUR USD' ]
    [ "$(comap ls --noheadings -o version quote)" -eq 2 ]
    comap put quote sym=
    [ -z "$(comap get quote sym)" ]
    comap put quote sym=a=b
    [ "$(comap get quote sym)" = a=b ]
    comap put quote sym=1234567890123456
    [ "$(comap get quote sym)" = 1234567890123456 ]
}

@test "each type takes its least and its largest value, and no other" {
    make_all
    local -A least=([a]=-128 [b]=0 [c]=-32768 [d]=0 [e]=-2147483648 [f]=0 [g]=-9223372036854775808 [h]=0)
    local -A most=([a]=127 [b]=255 [c]=32767 [d]=65535 [e]=2147483647 [f]=4294967295 [g]=9223372036854775807 [h]=18446744073709551615)
    local -A below=([a]=-129 [b]=-1 [c]=-32769 [d]=-1 [e]=-2147483649 [f]=-1 [g]=-9223372036854775809 [h]=-1)
    local -A above=([a]=128 [b]=256 [c]=32768 [d]=65536 [e]=2147483648 [f]=4294967296 [g]=9223372036854775808 [h]=18446744073709551616)
    local field value
    for field in a b c d e f g h; do
        for value in "${least[$field]}" "${most[$field]}"; do
            comap put all "$field=$value"
            [ "$(comap get all "$field")" = "$value" ]
            [ "$(comap get all "$field" --json | grep -o '"value":.*')" = "\"value\":$value}" ]
            printf '{"%s":%s}' "$field" "$value" | comap put all --json -
            [ "$(comap get all "$field")" = "$value" ]
        done
        for value in "${below[$field]}" "${above[$field]}"; do
            fails 2 "'$field'" "'$value'" "${least[$field]}" "${most[$field]}" -- put all "$field=$value"
            fails 2 "'$field'" "${least[$field]}" "${most[$field]}" -- put all --json "{\"$field\":$value}"
        done
        for value in '' 1.5 x 1x ' 1' 1e3 true 0x -0x1; do fails 2 "'$field'" -- put all "$field=$value"; done
        [ "$(comap get all "$field")" = "${most[$field]}" ]
    done
    comap put all b=0xff
    [ "$(comap get all b)" = 255 ]
}

@test "floats read back the same, also those that are not finite" {
    make_all
    local value
    for value in 0.1 -0 1e+22 5e-324 1.7976931348623157e+308 inf -inf nan 0.30000000000000004; do
        comap put all "j=$value"
        [ "$(comap get all j)" = "$value" ]
    done
    for value in 0.1 3.4028235e+38 1e-45 inf; do
        comap put all "i=$value"
        [ "$(comap get all i)" = "$value" ]
    done
    fails 2 "'i'" "'1e39'" 3.4028235e+38 -- put all i=1e39
    fails 2 "'i'" 3.4028235e+38 -- put all --json '{"i":1e39}'
    fails 2 "'j'" "'1e999'" -- put all j=1e999
    fails 2 "'j'" "'1,5'" -- put all j=1,5
    comap put all i=0.1 j=inf 'q=0.1,nan'
    run -0 comap get all --json
    is_json <<<"$output"
    [[ $output == *'"i":0.1,"j":null,'* && $output == *'"q":[0.1,null]'* ]]
}

@test "booleans and texts" {
    make_all
    local value
    for value in true 1; do comap put all "k=$value"; [ "$(comap get all k)" = true ]; done
    for value in false 0; do comap put all "k=$value"; [ "$(comap get all k)" = false ]; done
    fails 2 "'k'" "'yes'" true false -- put all k=yes
    fails 1 "'l'" 9 8 "nothing was written" -- put all k=1 l=123456789
    fails 1 "'l'" 9 8 -- put all --json '{"l":"123456789"}'
    fails 2 "'l'" UTF-8 -- put all $'l=\xff'
    fails 2 "'l'" NUL -- put all --json '{"l":"a\u0000b"}'
    [ "$(comap get all k)" = false ]
    comap put all l='ä"b'
    [ "$(comap get all l)" = 'ä"b' ]
}

@test "arrays: elements, rows, and the whole of one with one dimension" {
    make_all
    comap put all 'm[1,0]=-5' 'n=1,2,3' 'o=ab,cd' 'p=true,0' 'm[0]=7,8'
    run -0 comap get all
    [[ $output == *'m: [[7,8],[-5,0]]'*'n: [1,2,3]'*'o: [ab,cd]'*'p: [true,false]'* ]]
    comap put all 'n[2]=9' 'n=[4,5,6]' 'o[1]=x,y'
    [ "$(comap get all n)" = '[4,5,6]' ]
    [ "$(comap get all 'n[1]')" = 5 ]
    [ "$(comap get all 'm[0]')" = '[7,8]' ]
    [ "$(comap get all 'm[1,0]')" = -5 ]
    [ "$(comap get all o)" = '[ab,"x,y"]' ]
    fails 2 "'n[1]'" "'256'" 255 -- put all n=1,256,3
    fails 2 "'n'" 2 3 -- put all n=1,2
    fails 2 "'m'" 'm[0]' -- put all m=1,2,3,4
    fails 2 3 "0 to 2" -- put all 'n[3]=1'
    fails 2 dimensions -- put all 'n[0,0]=1'
    for place in 'n[' 'n[]' 'n[-1]' 'n[x]' 'n[0' 'n[0]x' 'n[0,]' 'n[0].y'; do
        fails 2 -- get all "$place"
        fails 2 -- put all "$place=1"
    done
}

@test "unknown fields are named, and those that there are" {
    make_quote
    fails 2 "'zz'" "t, bid, ask, sym" -- put quote bid=9 zz=1
    fails 2 "'zz'" "t, bid, ask, sym" -- get quote zz
    fails 2 "'zz'" "t, bid, ask, sym" -- put quote --json '{"bid":9,"zz":1}'
    fails 2 "'bid.x'" -- put quote bid.x=1
    fails 2 field=value -- put quote 1.5
    fails 2 FIELD=VALUE -- put quote
    [ "$(comap get quote bid)" = 0 ]
    [ "$(comap ls --noheadings -o version quote)" -eq 0 ]
}

@test "put --json: missing fields keep their value; wrong types and no JSON are errors" {
    make_all
    comap put all a=5 l=old
    printf ' {"m": [[1,2],[3,4]],\n"l": "n\\u00e9", "k": true, "j": 2, "n":[7,8,9]}\n' | comap put all --json
    [ "$(comap get all a)" = 5 ]
    [ "$(comap get all l)" = né ]
    [ "$(comap get all m)" = '[[1,2],[3,4]]' ]
    comap put all --json '{"j":0.5}'
    [ "$(comap get all j)" = 0.5 ]
    comap put all --json '{}'
    fails 2 "'a'" 1.5 127 -- put all --json '{"a":1.5}'
    fails 2 "'a'" -- put all --json '{"a":"1"}'
    fails 2 "'k'" true -- put all --json '{"k":"yes"}'
    fails 2 "'l'" text -- put all --json '{"l":1}'
    fails 2 "'j'" null -- put all --json '{"j":null}'
    fails 2 "'m'" array -- put all --json '{"m":1}'
    fails 2 "'m[1]'" -- put all --json '{"m":[[1,2],[3]]}'
    fails 2 "'n[2]'" -1 255 -- put all --json '{"n":[1,2,-1]}'
    fails 2 object -- put all --json '[1]'
    fails 2 JSON -- put all --json '{"a":'
    fails 2 JSON -- put all --json $'{"l":"\xff"}'
    fails 2 JSON -- put all --json
    fails 2 --json -- put all --json '{"a":1}' b=2
    [ "$(comap get all n)" = '[7,8,9]' ]
}

@test "what get --json gives, put --json takes" {
    command -v jq >/dev/null || skip "no jq"
    make_all
    comap put all a=-1 g=-9007199254740993 i=0.1 j=1e-300 k=1 l='x "y"' 'm[1,1]=3' o=p,q
    comap cell copy create --fields 'g:i8,i:f4,l:s8' --keep
    comap get all --json >"$WORK/json"
    comap get all >"$WORK/before"
    jq -c .value "$WORK/json" | grep -q '"a":-1'
    sed 's/.*"value"://; s/}$//' "$WORK/json" >"$WORK/value"
    comap put all a=0 g=0 i=0 j=0 k=0 l= 'm[1,1]=0' o=,
    comap put all --json - <"$WORK/value"
    comap get all | diff "$WORK/before" -
}

@test "get --json, --raw and of one field" {
    make_quote
    comap put quote bid=1.5 sym='a"b'
    run -0 comap get quote --json
    [ "$output" = '{"schema":1,"name":"quote","version":1,"value":{"t":0.0,"bid":1.5,"ask":0.0,"sym":"a\"b"}}' ]
    [ "$(comap get quote sym --json)" = '{"schema":1,"name":"quote","version":1,"field":"sym","value":"a\"b"}' ]
    [ "$(comap get quote --raw | wc -c)" -eq 40 ]
    [ "$(comap get quote --raw | od -An -tf8 -j8 -N8 | tr -d ' ')" = 1.5 ]
    [ "$(comap get quote sym --raw | wc -c)" -eq 16 ]
    fails 2 --raw --json -- get quote --raw --json
    fails 2 --at -- get quote --at 1
}

@test "a text of any bytes is escaped, and JSON stays UTF-8" {
    make_quote
    comap put quote $'sym=a\nb\e[2J'
    [ "$(comap get quote sym)" = 'a\x0ab\x1b[2J' ]
    [ "$(comap get quote | wc -l)" -eq 4 ]
    [[ $(comap get quote --json) == *'"sym":"a\nb\u001b[2J"'* ]]
    [ "$(comap watch quote -i --count 1 | wc -l)" -eq 1 ]
    # What no command of ours stores: into every slot.
    command -v python3 >/dev/null || skip "no python3"
    python3 -c '
import sys
with open(sys.argv[1], "r+b") as file:
    data = file.read()
    file.seek(0)
    file.write(data.replace(b"a\nb\x1b", b"\xff\xc3(\x80"))' "$LOCAL/quote"
    [[ $(comap get quote sym) == '\xff\xc3(\x80'* ]]
    comap get quote --json >"$WORK/json"
    is_json <"$WORK/json"
    python3 -c 'import sys; open(sys.argv[1], encoding="utf-8").read()' "$WORK/json"
}

@test "watch: a line per change, and JSON" {
    make_quote
    background "$WORK/watch" "$COMAP_BIN" watch quote --initial --count 3
    eventually grep -qx 't=0 bid=0 ask=0 sym=""' "$WORK/watch.out"
    comap put quote bid=1.5 sym=EURUSD
    eventually grep -qx 't=0 bid=1.5 ask=0 sym=EURUSD' "$WORK/watch.out"
    comap put quote sym='EUR "USD"'
    ends_with 0 "$CHILD"
    [ "$(tail -n 1 "$WORK/watch.out")" = 't=0 bid=1.5 ask=0 sym="EUR \"USD\""' ]
    background "$WORK/watch" "$COMAP_BIN" watch quote --json --initial --count 2
    eventually grep -q '"version":2,' "$WORK/watch.out"
    comap put quote t=inf
    ends_with 0 "$CHILD"
    [ "$(tail -n 1 "$WORK/watch.out")" = '{"name":"quote","version":3,"value":{"t":null,"bid":1.5,"ask":0.0,"sym":"EUR \"USD\""}}' ]
}

@test "wait: until a cell is stored" {
    make_quote
    background "$WORK/wait" "$COMAP_BIN" wait quote
    eventually waits_for quote "$CHILD" || skip "cannot see who waits"
    eventually is_asleep "$CHILD"
    comap put quote bid=1
    ends_with 0 "$CHILD"
    [ "$(cat "$WORK/wait.out")" = quote ]
}

@test "stat: fields, slots, history, writers; also as JSON" {
    make_quote --history 5
    run -0 comap stat quote
    [[ $output == *"kind      cell"*"record    40 bytes"*"slots     8"*"history   5 values"*"writers   one at a time"*"holders   none"* ]]
    [[ $output == *$'FIELD  TYPE  OFFSET\nt      f8         0\nbid    f8         8\nask    f8        16\nsym    s16       24'* ]]
    run -0 comap stat quote --json
    is_json <<<"$output"
    [[ $output == *'"kind":"cell"'*'"record_bytes":40,"slot_count":8,"history":5,"writers":1'* ]]
    [[ $output == *'"fields":[{"name":"t","type":"f8","offset":0},{"name":"bid","type":"f8","offset":8}'* ]]
    comap cell many create --fields 'a:i4[2,3]' --writers 5 --keep
    run -0 comap stat many
    [[ $output == *"writers   up to 5 at a time"*"i4[2,3]"* ]]
    run -0 comap stat many --json
    [[ $output == *'"history":5,"writers":5'* ]]
    comap ls --json | is_json
}

@test "hexdump: the latest value by its fields; all slots with --at" {
    comap cell x create --fields 'a:u4,x4,text:s20' --keep
    comap put x a=1 text=first
    comap put x a=258 text='second value of 20.'
    run -0 comap hexdump x
    [[ $output == *'# kind     cell'*'# record   28 bytes'*'# slots    8'*'# version  2'* ]]
    comap hexdump x --noheadings >"$WORK/dump"
    cat >"$WORK/expected" <<'END'
a          00000000  02 01 00 00                                       |....|
(padding)  00000004  00 00 00 00                                       |....|
text       00000008  73 65 63 6f 6e 64 20 76  61 6c 75 65 20 6f 66 20  |second value of |
           00000018  32 30 2e 00                                       |20..|
END
    diff "$WORK/expected" "$WORK/dump"
    run -0 comap hexdump x --at 0 --noheadings
    [[ $output == *first*second* ]]
    background "$WORK/follow" "$COMAP_BIN" hexdump x --follow
    eventually grep -q '# version  2' "$WORK/follow.out"
    comap put x text=third
    eventually grep -q '|third' "$WORK/follow.out"
}

@test "cells are no texts, and texts are no cells" {
    make_quote
    comap put t old
    comap create x 16 --keep
    fails 1 text cell -- put t a=1 b=2
    fails 1 text cell -- put t --json '{"a":1}'
    fails 1 bytes cell -- put x a=1 b=2
    fails 1 cell -- put quote --at 0 x
    fails 2 --at -- put x --at 0 a b
    fails 2 fields -- get t field
    fails 2 fields -- get x field
    fails 1 missing -- put missing a=1 b=2
    has_no_object missing
    [ "$(comap get t)" = old ]
    comap put t a=1
    [ "$(comap get t)" = a=1 ]
    comap put t '[a,b]'
    [ "$(comap get t)" = '[a,b]' ]
    [ "$(comap get t --json)" = '{"schema":1,"name":"t","version":3,"value":"[a,b]"}' ]
    comap mutex lock create --keep
    fails 1 mutex -- put lock a=1 b=2
}

@test "another writer has the role: exit 1 with the sentence; reading goes on" {
    make_quote
    comap put quote bid=1
    take_role "$LOCAL/quote"
    fails 1 "has a writer, and only one at a time may store" -- put quote bid=2
    fails 1 "has a writer" -- put quote --json '{"bid":2}'
    [ "$(comap get quote bid)" = 1 ]
    kill -KILL "$CHILD"
    eventually comap put quote bid=3
    [ "$(comap get quote bid)" = 3 ]
}

@test "several writers: each put of a field is one step" {
    comap cell many create --fields 'n:u4[8]' --writers 8 --keep
    take_role "$LOCAL/many"
    local i pids=()
    for i in 0 1 2 3 4 5 6 7; do
        comap put many "n[$i]=$((i + 1))" 3>&- &
        pids+=("$!")
    done
    for i in "${pids[@]}"; do wait "$i"; done
    [ "$(comap get many n)" = '[1,2,3,4,5,6,7,8]' ]
    [ "$(comap ls --noheadings -o version many)" -eq 8 ]
}

@test "nested records, and arrays of them" {
    [ -x "${COMAP_NESTED_CELL:-}" ] || skip "COMAP_NESTED_CELL is not set"
    "$COMAP_NESTED_CELL" n
    comap put n book.ask=1.5 'book.pts[1].s=hey' 'legs[1].on=true' 'legs[0].price=2' 'g[1,0].v=3' 'g[0][1].v=4'
    comap get n >"$WORK/value"
    cat >"$WORK/expected" <<'END'
book.ask:      1.5
book.pts[0].x: 0
book.pts[0].s: 
book.pts[1].x: 0
book.pts[1].s: hey
legs[0].price: 2
legs[0].on:    false
legs[1].price: 0
legs[1].on:    true
g[0,0].v:      0
g[0,1].v:      4
g[1,0].v:      3
g[1,1].v:      0
END
    diff "$WORK/expected" "$WORK/value"
    [ "$(comap get n 'legs[1]')" = $'legs[1].price: 0\nlegs[1].on:    true' ]
    [ "$(comap get n 'g[0]')" = $'g[0][0].v: 0\ng[0][1].v: 4' ]
    [ "$(comap get n book.pts --json)" = '{"schema":1,"name":"n","version":1,"field":"book.pts","value":[{"x":0,"s":""},{"x":0,"s":"hey"}]}' ]
    comap put n --json '{"book":{"pts":[{"x":5},{"s":"a"}]},"legs":[{},{"price":9}],"g":[[{"v":1},{}],[{},{}]]}'
    run -0 comap get n --json
    [[ $output == *'"value":{"book":{"ask":1.5,"pts":[{"x":5,"s":""},{"x":0,"s":"a"}]},"legs":[{"price":2.0,"on":false},{"price":9.0,"on":true}],"g":[[{"v":1},{"v":4}],[{"v":3},{"v":0}]]}}' ]]
    run -0 comap watch n -i --count 1
    [[ $output == 'book.ask=1.5 book.pts[0].x=5 book.pts[0].s="" '* ]]
    run -0 comap stat n
    [[ $output == *'book.pts[].s  s4               12'*'g             record[2,2]      56'* ]]
    run -0 comap hexdump n
    [[ $output == *'legs[1].price  00000028  '*'(padding)      00000031  '* ]]
    fails 2 "'book'" book.ask= -- put n book=1
    fails 2 "'legs'" 'legs[0].FIELD' -- put n legs=1
    fails 2 'legs[0].price' -- put n legs.price=1
    fails 2 "'book.zz'" "ask, pts" -- put n book.zz=1
    fails 2 "'book.zz'" "ask, pts" -- put n --json '{"book":{"zz":1}}'
    fails 2 "'book.pts[1].x'" 2147483647 -- put n --json '{"book":{"pts":[{},{"x":"y"}]}}'
    fails 2 "'book'" record -- put n --json '{"book":1}'
}
