// SPDX-License-Identifier: Apache-2.0
// What the files of the C ABI share: the handles that several of them see, arguments in, results and errors out.
#pragma once

#include <comap/comap.h>

#include <cstdint>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <utility>

#include <comap/comap.hpp>

#include "base/error.hpp"

struct comap_context {
    comap::Context context;
};
struct comap_subscription {
    comap::RawSubscription handle;
};
struct comap_queue {
    comap::RawQueue handle;
};

namespace comap::capi {

// Makes it this thread's last error, and returns its code.
comap_code report(Error error);

inline comap_code bad_argument(const char* what) { return report(Error{Code::invalid_argument, 0, "", std::string(what) + " must not be NULL"}); }

// Thrown out of the translation of arguments; guarded() makes the answer of them.
struct BadStruct {};
struct BadEnum {
    const char* type;
};

// No exception passes the C boundary; only memory can run out in here.
template <typename Call>
comap_code guarded(const Call& call) noexcept {
    try {
        return call();
    } catch (const BadStruct&) {
        return report(Error{Code::invalid_argument, 0, "",
                            "the struct_size of an option struct is not one that this library knows; initialise the struct with its _INIT macro"});
    } catch (const BadEnum& bad) {
        return report(Error{Code::invalid_argument, 0, "", internal::cat("a value that was given is none of ", bad.type)});
    } catch (const std::bad_alloc&) {
        return report(Error{Code::no_space, 0, "", "out of memory"});
    } catch (const std::exception& unexpected) {
        return report(Error{Code::os_error, 0, "", unexpected.what()});
    }
}

#define COMAP_NEED(pointer) \
    if (!(pointer)) return guarded([] { return bad_argument(#pointer); })

// Hands out a new handle, or the error.
template <typename Handle, typename Value>
comap_code give(Result<Value> made, Handle** out) {
    if (!made) return report(std::move(made).error());
    *out = new Handle{std::move(*made)};
    return COMAP_OK;
}

// Stores a value, or reports the error.
template <typename Value, typename Out>
comap_code store(Result<Value> value, Out* out) {
    if (!value) return report(std::move(value).error());
    if (out) *out = static_cast<Out>(*value);
    return COMAP_OK;
}

inline comap_code done(Result<void> result) { return result ? COMAP_OK : report(std::move(result).error()); }

inline Context& context_of(comap_context* context) { return context ? context->context : Context::standard(); }

// A C enum as the number that the caller gave. To read one that is out of range as its enum would be undefined, so it comes by reference.
template <typename Enum>
std::uint32_t number_of(const Enum& given) {
    static_assert(sizeof(Enum) == sizeof(std::uint32_t));
    std::uint32_t number = 0;
    std::memcpy(&number, &given, sizeof number);
    return number;
}

inline Access access_of(const comap_access& access) {
    switch (number_of(access)) {
        case COMAP_READ_ONLY:
            return Access::read_only;
        case COMAP_READ_WRITE:
            return Access::read_write;
    }
    throw BadEnum{"comap_access"};
}

// The caller's struct may be of an older version: what it does not have keeps its default. Throws BadStruct if it says no size.
template <typename Options>
Options complete(const Options* given, const Options& defaults) {
    Options options = defaults;
    if (given && (given->struct_size < sizeof given->struct_size || given->struct_size > sizeof options)) throw BadStruct();
    if (given) std::memcpy(&options, given, given->struct_size);
    return options;
}

inline OpenOptions open_options(const comap_open_options* given) {
    const comap_open_options from = complete(given, comap_open_options COMAP_OPEN_OPTIONS_INIT);
    OpenOptions options;
    options.access = access_of(from.access);
    if (from.check_owner != 0) options.owner_uid = from.owner_uid;
    options.file = from.file ? from.file : "";
    return options;
}

}  // namespace comap::capi
