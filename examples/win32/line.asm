; SPDX-License-Identifier: Apache-2.0
; Several instances share a line of text. What is typed into one is shown by all, as soon as it is written. Each has an event of
; its own, named after the number it took when it started; who writes sets them all. When an instance ends the line stays, with the
; last one it goes: the names live as long as somebody holds them.
;     nasm -f elf64 line.asm && gcc line.o -lcomap-win32 -o line

default rel
global main
extern CloseHandle, CreateEventA, CreateFileMappingA, CreateMutexA, CreateThread, GetLastError, MapViewOfFile, OpenEventA
extern ReleaseMutex, SetEvent, UnmapViewOfFile, WaitForMultipleObjects, WaitForSingleObject
extern dprintf, getline, snprintf, stdin

INVALID_HANDLE_VALUE equ -1
INFINITE             equ -1
PAGE_READWRITE       equ 4
FILE_MAP_WRITE       equ 2
EVENT_MODIFY_STATE   equ 2
ERROR_ALREADY_EXISTS equ 183

kInstancesMax equ 16
kTextMax      equ 1000          ; bytes

struc Shared
    .length resd 1              ; 0: there is no line; also while one is being written
    .text   resb kTextMax
endstruc

section .rodata
section_name db "Local\comap-example-line", 0
mutex_name   db "Local\comap-example-line-mutex", 0
event_format db "Local\comap-example-line-%u", 0
shown_format db "%.*s", 10, 0
long_format  db "line: not written: %u bytes, and there is room for %u", 10, 0
many_format  db "line: there are %u instances already", 10, 0
fail_format  db "line: cannot be shared (%u)", 10, 0

section .bss
mutex       resq 1
map         resq 1
thread      resq 1              ; shows the lines
event       resq 1              ; ours; this and the next are what the thread waits for
ended       resq 1              ; the input has ended
shared      resq 1              ; address of the view
input       resq 1              ; getline's buffer
input_size  resq 1
shown       resb kTextMax
event_name  resb 64

section .text

%macro invoke 1                 ; a function of a library; the stack is aligned at every use
    call %1 wrt ..plt
%endmacro

; event_name for the number in edi
make_event_name:
    sub rsp, 8
    mov ecx, edi
    lea rdi, [event_name]
    mov esi, 64
    lea rdx, [event_format]
    xor eax, eax
    invoke snprintf
    add rsp, 8
    ret

lock_line:                      ; WAIT_ABANDONED is as good: who was killed while it wrote left a length of 0
    sub rsp, 8
    mov rdi, [mutex]
    mov esi, INFINITE
    invoke WaitForSingleObject
    add rsp, 8
    ret

unlock_line:
    sub rsp, 8
    mov rdi, [mutex]
    invoke ReleaseMutex
    add rsp, 8
    ret

; The first number whose event nobody has. Returns 1, or 0 if all are taken.
take_number:
    push rbx
    xor ebx, ebx
.next:
    mov edi, ebx
    call make_event_name
    xor edi, edi
    xor esi, esi                ; resets itself
    mov edx, 1                  ; set: what is there already is shown
    lea rcx, [event_name]
    invoke CreateEventA
    mov [event], rax
    invoke GetLastError
    cmp eax, ERROR_ALREADY_EXISTS
    jne .done
    mov rdi, [event]
    invoke CloseHandle
    inc ebx
    cmp ebx, kInstancesMax
    jb .next
    xor eax, eax
    pop rbx
    ret
.done:
    xor eax, eax
    cmp qword [event], 0
    setne al
    pop rbx
    ret

; Sets the event of every instance.
wake_all:
    push rbx
    push r12
    sub rsp, 8
    xor ebx, ebx
.next:
    mov edi, ebx
    call make_event_name
    mov edi, EVENT_MODIFY_STATE
    xor esi, esi
    lea rdx, [event_name]
    invoke OpenEventA
    test rax, rax
    jz .nobody
    mov r12, rax
    mov rdi, rax
    invoke SetEvent
    mov rdi, r12
    invoke CloseHandle
.nobody:
    inc ebx
    cmp ebx, kInstancesMax
    jb .next
    add rsp, 8
    pop r12
    pop rbx
    ret

; Writes the line: rdi its text, esi its length.
write_line:
    push rbx
    push r12
    sub rsp, 8
    mov rbx, rdi
    mov r12d, esi
    call lock_line
    mov rax, [shared]
    mov dword [rax + Shared.length], 0
    lea rdi, [rax + Shared.text]
    mov rsi, rbx
    mov ecx, r12d
    rep movsb
    mov [rax + Shared.length], r12d
    call unlock_line
    call wake_all
    add rsp, 8
    pop r12
    pop rbx
    ret

; A thread: shows the line whenever our event is set. The first time another instance may not have written one yet.
show_lines:
    push rbx
.next:
    mov edi, 2
    lea rsi, [event]
    xor edx, edx
    mov ecx, INFINITE
    invoke WaitForMultipleObjects
    test eax, eax               ; the first of those that are set: all lines have been shown before the end is seen
    jnz .end
    call lock_line
    mov rax, [shared]
    mov ebx, [rax + Shared.length]
    cmp ebx, kTextMax           ; anybody may have written the number
    ja .unlock
    lea rsi, [rax + Shared.text]
    lea rdi, [shown]
    mov ecx, ebx
    rep movsb
.unlock:
    call unlock_line
    lea eax, [rbx - 1]
    cmp eax, kTextMax
    jae .next
    mov edi, 1
    lea rsi, [shown_format]
    mov edx, ebx
    lea rcx, [shown]
    xor eax, eax
    invoke dprintf
    jmp .next
.end:
    xor eax, eax
    pop rbx
    ret

; Opens or makes what the instances share. Returns 1, or 0.
share:
    sub rsp, 8
    xor edi, edi
    xor esi, esi
    lea rdx, [mutex_name]
    invoke CreateMutexA
    mov [mutex], rax
    test rax, rax
    jz .failed
    xor edi, edi
    mov esi, 1                  ; stays set
    xor edx, edx
    xor ecx, ecx
    invoke CreateEventA
    mov [ended], rax
    test rax, rax
    jz .failed
    mov rdi, INVALID_HANDLE_VALUE
    xor esi, esi
    mov edx, PAGE_READWRITE
    xor ecx, ecx
    mov r8d, Shared_size
    lea r9, [section_name]
    invoke CreateFileMappingA
    mov [map], rax
    test rax, rax
    jz .failed
    mov rdi, rax
    mov esi, FILE_MAP_WRITE
    xor edx, edx
    xor ecx, ecx
    xor r8d, r8d
    invoke MapViewOfFile
    mov [shared], rax
    test rax, rax
    jz .failed
    mov eax, 1
    add rsp, 8
    ret
.failed:
    invoke GetLastError
    mov edi, 2
    lea rsi, [fail_format]
    mov edx, eax
    xor eax, eax
    invoke dprintf
    xor eax, eax
    add rsp, 8
    ret

; Lets the thread end, and everything go.
leave_all:
    push rbx
    mov rdi, [ended]
    invoke SetEvent
    mov rdi, [thread]
    mov esi, INFINITE
    invoke WaitForSingleObject
    mov rdi, [shared]
    invoke UnmapViewOfFile
    lea rbx, [mutex]            ; the first of five handles
.next:
    mov rdi, [rbx]
    invoke CloseHandle
    add rbx, 8
    lea rax, [shared]
    cmp rbx, rax
    jb .next
    pop rbx
    ret

main:
    push rbp
    call share
    test eax, eax
    jz .failed
    call lock_line
    call take_number
    mov ebp, eax
    call unlock_line
    test ebp, ebp
    jz .too_many
    xor edi, edi
    xor esi, esi
    lea rdx, [show_lines]
    xor ecx, ecx
    xor r8d, r8d
    xor r9d, r9d
    invoke CreateThread
    mov [thread], rax
    test rax, rax
    jz .failed

.next:
    lea rdi, [input]
    lea rsi, [input_size]
    mov rdx, [rel stdin wrt ..got]
    mov rdx, [rdx]
    invoke getline
    test rax, rax
    jle .done                   ; end of input
    mov rdi, [input]
    cmp byte [rdi + rax - 1], 10
    jne .whole
    dec rax
.whole:
    cmp rax, kTextMax
    ja .too_long
    mov esi, eax
    call write_line
    jmp .next

.too_long:
    mov edi, 2
    lea rsi, [long_format]
    mov edx, eax
    mov ecx, kTextMax
    xor eax, eax
    invoke dprintf
    jmp .next

.too_many:
    mov edi, 2
    lea rsi, [many_format]
    mov edx, kInstancesMax
    xor eax, eax
    invoke dprintf
.failed:
    mov eax, 1
    pop rbp
    ret
.done:
    call leave_all
    xor eax, eax
    pop rbp
    ret

section .note.GNU-stack noalloc noexec nowrite progbits
