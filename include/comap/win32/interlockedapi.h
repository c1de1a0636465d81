/* SPDX-License-Identifier: Apache-2.0 */
/* Atomic steps on 32-bit, 64-bit and pointer variables, each a full barrier. Compilers put them in line; the library exports
 * them as well, for languages that find calls by name. */
#ifndef COMAP_WIN32_INTERLOCKEDAPI_H
#define COMAP_WIN32_INTERLOCKEDAPI_H

#include "windef.h"

/* The library defines this when it compiles the functions that it exports. */
#ifndef COMAP_WIN32_INTERLOCKED
#define COMAP_WIN32_INTERLOCKED extern __inline__ __attribute__((__gnu_inline__))
#endif

COMAP_WIN32_BEGIN

#define COMAP_WIN32_EXCHANGE(name, type)                                                 \
    COMAP_WIN32_INTERLOCKED type WINAPI name(type volatile* target, type value) {        \
        return __atomic_exchange_n(target, value, __ATOMIC_SEQ_CST);                     \
    }
#define COMAP_WIN32_COMPARE_EXCHANGE(name, type)                                                              \
    COMAP_WIN32_INTERLOCKED type WINAPI name(type volatile* target, type exchange, type comparand) {         \
        __atomic_compare_exchange_n(target, &comparand, exchange, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);     \
        return comparand;                                                                                     \
    }
/* Gives what was there before. */
#define COMAP_WIN32_FETCH(name, type, operation)                                         \
    COMAP_WIN32_INTERLOCKED type WINAPI name(type volatile* target, type value) {        \
        return __atomic_fetch_##operation(target, value, __ATOMIC_SEQ_CST);              \
    }
/* Gives what is there now. */
#define COMAP_WIN32_STEP(name, type, operation)                                          \
    COMAP_WIN32_INTERLOCKED type WINAPI name(type volatile* target) {                    \
        return __atomic_##operation##_fetch(target, (type)1, __ATOMIC_SEQ_CST);          \
    }

#define COMAP_WIN32_ADD(name, type)                                                      \
    COMAP_WIN32_INTERLOCKED type WINAPI name(type volatile* target, type value) {        \
        return __atomic_add_fetch(target, value, __ATOMIC_SEQ_CST);                      \
    }
/* Of bit `bit`, counted on from there; gives what it was before. */
#define COMAP_WIN32_BIT(name, operation, wanted)                                                                               \
    COMAP_WIN32_INTERLOCKED BOOLEAN WINAPI name(LONG volatile* target, LONG bit) {                                              \
        const ULONG mask = (ULONG)1 << (bit & 31);                                                                              \
        return (BOOLEAN)(((ULONG)__atomic_fetch_##operation(target + (bit >> 5), (LONG)(wanted), __ATOMIC_SEQ_CST) & mask) != 0); \
    }

COMAP_WIN32_EXCHANGE(InterlockedExchange8, CHAR)
COMAP_WIN32_EXCHANGE(InterlockedExchange16, SHORT)
COMAP_WIN32_EXCHANGE(InterlockedExchange, LONG)
COMAP_WIN32_EXCHANGE(InterlockedExchange64, LONG64)
COMAP_WIN32_EXCHANGE(InterlockedExchangePointer, PVOID)
COMAP_WIN32_COMPARE_EXCHANGE(InterlockedCompareExchange16, SHORT)
COMAP_WIN32_COMPARE_EXCHANGE(InterlockedCompareExchange, LONG)
COMAP_WIN32_COMPARE_EXCHANGE(InterlockedCompareExchange64, LONG64)
COMAP_WIN32_COMPARE_EXCHANGE(InterlockedCompareExchangePointer, PVOID)
COMAP_WIN32_FETCH(InterlockedExchangeAdd, LONG, add)
COMAP_WIN32_FETCH(InterlockedExchangeAdd64, LONG64, add)
COMAP_WIN32_FETCH(InterlockedAnd8, CHAR, and)
COMAP_WIN32_FETCH(InterlockedAnd16, SHORT, and)
COMAP_WIN32_FETCH(InterlockedAnd, LONG, and)
COMAP_WIN32_FETCH(InterlockedAnd64, LONG64, and)
COMAP_WIN32_FETCH(InterlockedOr8, CHAR, or)
COMAP_WIN32_FETCH(InterlockedOr16, SHORT, or)
COMAP_WIN32_FETCH(InterlockedOr, LONG, or)
COMAP_WIN32_FETCH(InterlockedOr64, LONG64, or)
COMAP_WIN32_FETCH(InterlockedXor8, CHAR, xor)
COMAP_WIN32_FETCH(InterlockedXor16, SHORT, xor)
COMAP_WIN32_FETCH(InterlockedXor, LONG, xor)
COMAP_WIN32_FETCH(InterlockedXor64, LONG64, xor)
COMAP_WIN32_STEP(InterlockedIncrement16, SHORT, add)
COMAP_WIN32_STEP(InterlockedIncrement, LONG, add)
COMAP_WIN32_STEP(InterlockedIncrement64, LONG64, add)
COMAP_WIN32_STEP(InterlockedDecrement16, SHORT, sub)
COMAP_WIN32_STEP(InterlockedDecrement, LONG, sub)
COMAP_WIN32_STEP(InterlockedDecrement64, LONG64, sub)

COMAP_WIN32_ADD(InterlockedAdd, LONG)
COMAP_WIN32_ADD(InterlockedAdd64, LONG64)
COMAP_WIN32_BIT(InterlockedBitTestAndSet, or, mask)
COMAP_WIN32_BIT(InterlockedBitTestAndReset, and, ~mask)

#undef COMAP_WIN32_ADD
#undef COMAP_WIN32_BIT
#undef COMAP_WIN32_EXCHANGE
#undef COMAP_WIN32_COMPARE_EXCHANGE
#undef COMAP_WIN32_FETCH
#undef COMAP_WIN32_STEP

COMAP_WIN32_END

#define MemoryBarrier() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#if defined(__x86_64__) || defined(__i386__)
#define YieldProcessor() __builtin_ia32_pause()
#else
#define YieldProcessor() __asm__ __volatile__("" ::: "memory")
#endif

#endif
