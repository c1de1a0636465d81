// SPDX-License-Identifier: Apache-2.0
#include "win32/access.hpp"

namespace comap::win32 {
namespace {

struct Rights {
    DWORD read, write, execute, all;
};

Rights rights_of(Kind kind) {
    constexpr DWORD kStandard = STANDARD_RIGHTS_READ;  // the same for reading, writing, executing
    switch (kind) {
        case Kind::section:
            return {kStandard | SECTION_QUERY | SECTION_MAP_READ, kStandard | SECTION_MAP_WRITE, kStandard | SECTION_MAP_EXECUTE, SECTION_ALL_ACCESS};
        case Kind::mutex:
            return {kStandard | MUTANT_QUERY_STATE, kStandard, kStandard | SYNCHRONIZE, MUTEX_ALL_ACCESS};
        case Kind::event:
            return {kStandard | EVENT_QUERY_STATE, kStandard | EVENT_MODIFY_STATE, kStandard | SYNCHRONIZE, EVENT_ALL_ACCESS};
        case Kind::semaphore:
            return {kStandard | SEMAPHORE_QUERY_STATE, kStandard | SEMAPHORE_MODIFY_STATE, kStandard | SYNCHRONIZE, SEMAPHORE_ALL_ACCESS};
        case Kind::file:
            return {FILE_GENERIC_READ, FILE_GENERIC_WRITE, FILE_GENERIC_EXECUTE, FILE_ALL_ACCESS};
        case Kind::thread:
            return {kStandard | THREAD_GET_CONTEXT | THREAD_QUERY_INFORMATION,
                    kStandard | THREAD_TERMINATE | THREAD_SUSPEND_RESUME | THREAD_SET_CONTEXT | THREAD_SET_INFORMATION,
                    kStandard | SYNCHRONIZE | THREAD_QUERY_LIMITED_INFORMATION, THREAD_ALL_ACCESS};
        case Kind::process:
            return {kStandard | PROCESS_VM_READ | PROCESS_QUERY_INFORMATION,
                    kStandard | PROCESS_CREATE_PROCESS | PROCESS_CREATE_THREAD | PROCESS_VM_OPERATION | PROCESS_VM_WRITE | PROCESS_DUP_HANDLE |
                        PROCESS_SET_QUOTA | PROCESS_SET_INFORMATION,
                    kStandard | SYNCHRONIZE | PROCESS_TERMINATE | PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_ALL_ACCESS};
    }
    return {};
}

}  // namespace

DWORD all_access(Kind kind) { return rights_of(kind).all; }

DWORD specific_access(Kind kind, DWORD access) {
    const Rights rights = rights_of(kind);
    DWORD out = access & (STANDARD_RIGHTS_ALL | SPECIFIC_RIGHTS_ALL);
    if (access & GENERIC_READ) out |= rights.read;
    if (access & GENERIC_WRITE) out |= rights.write;
    if (access & GENERIC_EXECUTE) out |= rights.execute;
    if (access & (GENERIC_ALL | MAXIMUM_ALLOWED)) out |= rights.all;
    return out;
}

}  // namespace comap::win32
