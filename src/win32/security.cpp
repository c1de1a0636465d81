// SPDX-License-Identifier: Apache-2.0
#include "win32/security.hpp"

#include "win32/errors.hpp"

namespace comap::win32 {
namespace {

constexpr std::uint32_t kOwnerOnly = 0600;
constexpr std::uint32_t kEverybody = 0666;

// A descriptor that its program filled in (not one in self-relative form, whose members are offsets).
bool is_absolute(const SECURITY_DESCRIPTOR& descriptor) {
    return descriptor.Revision == SECURITY_DESCRIPTOR_REVISION && (descriptor.Control & SE_SELF_RELATIVE) == 0;
}

bool has_list(const SECURITY_DESCRIPTOR& descriptor) { return (descriptor.Control & SE_DACL_PRESENT) != 0; }

}  // namespace

std::optional<std::uint32_t> mode_of(const SECURITY_ATTRIBUTES* attributes) {
    if (!attributes || !attributes->lpSecurityDescriptor) return kOwnerOnly;
    const auto& descriptor = *static_cast<const SECURITY_DESCRIPTOR*>(attributes->lpSecurityDescriptor);
    // Another form is shorter, and is not looked at.
    const auto names_somebody = [&] { return descriptor.Owner || descriptor.Group || descriptor.Sacl || (has_list(descriptor) && descriptor.Dacl); };
    if (is_absolute(descriptor) && !names_somebody()) return has_list(descriptor) ? kEverybody : kOwnerOnly;
    SetLastError(ERROR_INVALID_SECURITY_DESCR);
    return std::nullopt;
}

}  // namespace comap::win32

using namespace comap::win32;

extern "C" {

BOOL WINAPI InitializeSecurityDescriptor(PSECURITY_DESCRIPTOR pSecurityDescriptor, DWORD dwRevision) {
    if (dwRevision != SECURITY_DESCRIPTOR_REVISION) return fail(ERROR_UNKNOWN_REVISION);
    if (!pSecurityDescriptor) return fail(ERROR_INVALID_PARAMETER);
    SECURITY_DESCRIPTOR empty = {};
    empty.Revision = SECURITY_DESCRIPTOR_REVISION;
    *static_cast<SECURITY_DESCRIPTOR*>(pSecurityDescriptor) = empty;
    return TRUE;
}

BOOL WINAPI SetSecurityDescriptorDacl(PSECURITY_DESCRIPTOR pSecurityDescriptor, BOOL bDaclPresent, PACL pDacl, BOOL bDaclDefaulted) {
    if (!IsValidSecurityDescriptor(pSecurityDescriptor)) return fail(ERROR_INVALID_SECURITY_DESCR);
    auto& descriptor = *static_cast<SECURITY_DESCRIPTOR*>(pSecurityDescriptor);
    if (!is_absolute(descriptor)) return fail(ERROR_INVALID_SECURITY_DESCR);
    const int kept = descriptor.Control & ~(SE_DACL_PRESENT | SE_DACL_DEFAULTED);
    const int added = bDaclPresent ? SE_DACL_PRESENT | (bDaclDefaulted ? SE_DACL_DEFAULTED : 0) : 0;
    descriptor.Control = static_cast<SECURITY_DESCRIPTOR_CONTROL>(kept | added);
    if (bDaclPresent) descriptor.Dacl = pDacl;
    return TRUE;
}

// Tells by the result alone, on Windows too.
BOOL WINAPI IsValidSecurityDescriptor(PSECURITY_DESCRIPTOR pSecurityDescriptor) {
    return pSecurityDescriptor && static_cast<const SECURITY_DESCRIPTOR*>(pSecurityDescriptor)->Revision == SECURITY_DESCRIPTOR_REVISION;
}

}  // extern "C"
