// SPDX-License-Identifier: Apache-2.0
#include "win32/text.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <locale.h>
#include <mutex>
#include <set>
#include <utility>
#include <wctype.h>

#include "win32/errors.hpp"
#include <tchar.h>

namespace comap::win32 {
namespace {

bool is_high_surrogate(char32_t unit) { return unit >= 0xD800 && unit < 0xDC00; }
bool is_low_surrogate(char32_t unit) { return unit >= 0xDC00 && unit < 0xE000; }

// What may follow a lead byte: that many bytes, the first of them in this range (shorter forms and surrogates do not exist).
struct Lead {
    int trail_count;
    unsigned char first_min = 0x80;
    unsigned char first_max = 0xBF;
};

std::optional<Lead> lead_of(unsigned char byte) {
    if (byte < 0x80) return Lead{0};
    if (byte >= 0xC2 && byte <= 0xDF) return Lead{1};
    if (byte == 0xE0) return Lead{2, 0xA0};
    if (byte == 0xED) return Lead{2, 0x80, 0x9F};
    if (byte >= 0xE1 && byte <= 0xEF) return Lead{2};
    if (byte == 0xF0) return Lead{3, 0x90};
    if (byte >= 0xF1 && byte <= 0xF3) return Lead{3};
    if (byte == 0xF4) return Lead{3, 0x80, 0x8F};
    return std::nullopt;
}

// Lower case of any script, whatever locale the program has set.
char32_t lower(char32_t code_point) {
    static const locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    if (code_point < 0x80 || !locale) return code_point >= 'A' && code_point <= 'Z' ? code_point + ('a' - 'A') : code_point;
    return static_cast<char32_t>(towlower_l(static_cast<wint_t>(code_point), locale));
}

// The same for upper case.
char32_t upper(char32_t code_point) {
    static const locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    if (code_point < 0x80 || !locale) return code_point >= 'a' && code_point <= 'z' ? code_point - ('a' - 'A') : code_point;
    return static_cast<char32_t>(towupper_l(static_cast<wint_t>(code_point), locale));
}

// Units that stand alone, and stay one unit.
template <typename Change>
WCHAR* change_units(WCHAR* text, Change change) {
    for (WCHAR* at = text; *at != 0; ++at)
        if (const char32_t changed = change(*at); changed < 0x10000) *at = static_cast<WCHAR>(changed);
    return text;
}

// ASCII only: other characters could become longer.
template <typename Change>
char* change_ascii(char* text, Change change) {
    for (char* at = text; *at != 0; ++at)
        if (static_cast<unsigned char>(*at) < 0x80) *at = static_cast<char>(change(static_cast<char32_t>(*at)));
    return text;
}

template <typename T>
std::size_t length_of(const T* text) {
    return std::char_traits<T>::length(text);
}

template <typename T>
char32_t take_mended(const T*& at, const T* end) {
    return take_code_point(at, end).value_or(kReplacement);
}

template <typename To, typename From>
std::basic_string<To> converted(std::basic_string_view<From> text) {
    std::basic_string<To> out;
    out.reserve(text.size());
    const From* const end = text.data() + text.size();
    for (const From* at = text.data(); at < end;) append_code_point(out, take_mended(at, end));
    return out;
}

template <typename Number>
int sign(Number a, Number b) {
    return a < b ? -1 : a > b ? 1 : 0;
}

// As dictionaries do: the case counts only where all else is equal; then lower case comes first.
template <typename T>
int compare_words(const T* a, const T* b, bool ignores_case) {
    if (!a || !b) return sign(a != nullptr, b != nullptr);
    const T* const a_end = a + length_of(a);
    const T* const b_end = b + length_of(b);
    int by_case = 0;
    while (a < a_end && b < b_end) {
        const char32_t of_a = take_mended(a, a_end);
        const char32_t of_b = take_mended(b, b_end);
        if (const int order = sign(lower(of_a), lower(of_b))) return order;
        if (by_case == 0) by_case = sign(of_b, of_a);
    }
    if (a < a_end || b < b_end) return a < a_end ? 1 : -1;
    return ignores_case ? 0 : by_case;
}

template <typename T>
T* copy_whole(T* target, const T* source) {
    if (!target || !source) return nullptr;
    std::memmove(target, source, (length_of(source) + 1) * sizeof(T));
    return target;
}

template <typename T>
T* copy_up_to(T* target, const T* source, int count_max) {
    if (!target || !source) return nullptr;
    if (count_max <= 0) return target;
    int i = 0;
    for (; i < count_max - 1 && source[i] != T{}; ++i) target[i] = source[i];
    target[i] = T{};
    return target;
}

template <typename T>
T* append_whole(T* target, const T* source) {
    if (!target || !source) return nullptr;
    copy_whole(target + length_of(target), source);
    return target;
}

template <typename T>
int length_as_int(const T* text) {
    return text ? static_cast<int>(std::min<std::size_t>(length_of(text), INT_MAX)) : 0;
}

// As strncpy_s and strcat_s: puts up to `length_max` units (_TRUNCATE: as many as fit) behind the first `held` of `out`.
template <typename T>
errno_t copy_checked(T* out, std::size_t count, std::size_t held, const T* text, std::size_t length_max) {
    if (!out || count == 0) return EINVAL;
    std::size_t length = 0;
    while (text && length < length_max && length < count - held && text[length] != T{}) ++length;
    const bool fits = length < count - held;
    if (!fits && length_max == _TRUNCATE) length = count - held - 1;
    const bool is_copied = text && (fits || length_max == _TRUNCATE);
    if (is_copied) std::copy_n(text, length, out + held);
    out[is_copied ? held + length : 0] = T{};
    return !text ? EINVAL : fits || is_copied ? 0 : ERANGE;
}

constexpr std::size_t kWhole = _TRUNCATE - 1;  // no bound, and nothing is cut

template <typename T>
errno_t append_checked(T* out, std::size_t count, const T* text) {
    if (!out) return EINVAL;
    std::size_t held = 0;
    while (held < count && out[held] != T{}) ++held;
    return held == count ? EINVAL : copy_checked(out, count, held, text, kWhole);
}

template <typename Fold>
int compare_units(const WCHAR* a, const WCHAR* b, std::size_t count, Fold fold) {
    for (; count > 0; ++a, ++b, --count) {
        const int order = sign<char32_t>(fold(*a), fold(*b));
        if (order != 0 || *a == 0) return order;
    }
    return 0;
}

// What is no ASCII is part of no number.
template <typename Parse>
auto parsed(const WCHAR* text, WCHAR** end, Parse parse) {
    std::string ascii;
    for (const WCHAR* at = text; *at != 0 && *at < 0x80; ++at) ascii += static_cast<char>(*at);
    char* stop = nullptr;
    const auto value = parse(ascii.c_str(), &stop);
    if (end) *end = const_cast<WCHAR*>(text) + (stop - ascii.c_str());
    return value;
}

// The code point that begins with this byte, the others read from the file.
char32_t rest_of_code_point(char first, FILE* file) {
    std::string bytes(1, first);
    const std::optional<Lead> lead = lead_of(static_cast<unsigned char>(first));
    for (int i = 0; lead && i < lead->trail_count; ++i) {
        const int next = std::getc(file);
        if ((next & 0xC0) != 0x80) {  // the end as well
            if (next != EOF) std::ungetc(next, file);
            break;
        }
        bytes += static_cast<char>(next);
    }
    const char* at = bytes.data();
    return take_mended(at, at + bytes.size());
}

bool is_known_code_page(UINT code_page) {
    return code_page == CP_ACP || code_page == CP_OEMCP || code_page == CP_THREAD_ACP || code_page == CP_UTF8;
}

// Checks what both conversions check; what it gives is the text to convert.
template <typename To, typename From>
std::optional<std::basic_string_view<From>> text_to_convert(UINT code_page, const From* text, int count, const To* out, int out_count) {
    const bool is_same_place = static_cast<const void*>(text) == out;
    if (!text || count == 0 || out_count < 0 || (out_count > 0 && (!out || is_same_place)) || !is_known_code_page(code_page)) {
        SetLastError(ERROR_INVALID_PARAMETER);
        return std::nullopt;
    }
    return std::basic_string_view<From>(text, count < 0 ? length_of(text) + 1 : static_cast<std::size_t>(count));
}

// The whole text, or only its length where no room is given.
template <typename T>
int give(const std::basic_string<T>& text, T* out, int out_count) {
    if (text.size() > INT_MAX) return fail(ERROR_ARITHMETIC_OVERFLOW);
    if (out_count == 0) return static_cast<int>(text.size());
    if (text.size() > static_cast<std::size_t>(out_count)) return fail(ERROR_INSUFFICIENT_BUFFER);
    std::memcpy(out, text.data(), text.size() * sizeof(T));
    return static_cast<int>(text.size());
}

}  // namespace

std::optional<char32_t> take_code_point(const char*& at, const char* end) {
    const auto byte = static_cast<unsigned char>(*at++);
    const std::optional<Lead> lead = lead_of(byte);
    if (!lead) return std::nullopt;
    char32_t code_point = lead->trail_count == 0 ? byte : byte & (0x3Fu >> lead->trail_count);
    unsigned char min = lead->first_min;
    unsigned char max = lead->first_max;
    for (int i = 0; i < lead->trail_count; ++i, min = 0x80, max = 0xBF) {
        if (at == end) return std::nullopt;
        const auto trail = static_cast<unsigned char>(*at);
        if (trail < min || trail > max) return std::nullopt;
        code_point = (code_point << 6) | (trail & 0x3Fu);
        ++at;
    }
    return code_point;
}

std::optional<char32_t> take_code_point(const WCHAR*& at, const WCHAR* end) {
    const char32_t unit = *at++;
    if (is_low_surrogate(unit)) return std::nullopt;
    if (!is_high_surrogate(unit)) return unit;
    if (at == end || !is_low_surrogate(*at)) return std::nullopt;
    return 0x10000 + ((unit - 0xD800) << 10) + (*at++ - 0xDC00u);
}

void append_code_point(std::string& text, char32_t code_point) {
    const auto add = [&](char32_t byte) { text.push_back(static_cast<char>(byte)); };
    if (code_point < 0x80) return add(code_point);
    if (code_point < 0x800) {
        add(0xC0 | (code_point >> 6));
    } else if (code_point < 0x10000) {
        add(0xE0 | (code_point >> 12));
        add(0x80 | ((code_point >> 6) & 0x3F));
    } else {
        add(0xF0 | (code_point >> 18));
        add(0x80 | ((code_point >> 12) & 0x3F));
        add(0x80 | ((code_point >> 6) & 0x3F));
    }
    add(0x80 | (code_point & 0x3F));
}

void append_code_point(std::u16string& text, char32_t code_point) {
    if (code_point < 0x10000) return text.push_back(static_cast<WCHAR>(code_point));
    text.push_back(static_cast<WCHAR>(0xD800 + ((code_point - 0x10000) >> 10)));
    text.push_back(static_cast<WCHAR>(0xDC00 + (code_point & 0x3FF)));
}

std::optional<std::string> utf8(const WCHAR* text) {
    std::string out;
    const WCHAR* const end = text + length_of(text);
    while (text < end) {
        const std::optional<char32_t> code_point = take_code_point(text, end);
        if (!code_point) return std::nullopt;
        append_code_point(out, *code_point);
    }
    return out;
}

std::string utf8_mended(std::u16string_view text) { return converted<char>(text); }
std::u16string utf16(std::string_view text) { return converted<WCHAR>(text); }

}  // namespace comap::win32

using namespace comap::win32;

extern "C" {

LPSTR lstrcpyA(LPSTR target, LPCSTR source) { return copy_whole(target, source); }
LPWSTR lstrcpyW(LPWSTR target, LPCWSTR source) { return copy_whole(target, source); }
LPSTR lstrcpynA(LPSTR target, LPCSTR source, int count_max) { return copy_up_to(target, source, count_max); }
LPWSTR lstrcpynW(LPWSTR target, LPCWSTR source, int count_max) { return copy_up_to(target, source, count_max); }
LPSTR lstrcatA(LPSTR target, LPCSTR source) { return append_whole(target, source); }
LPWSTR lstrcatW(LPWSTR target, LPCWSTR source) { return append_whole(target, source); }
int lstrlenA(LPCSTR text) { return length_as_int(text); }
int lstrlenW(LPCWSTR text) { return length_as_int(text); }
int lstrcmpA(LPCSTR a, LPCSTR b) { return compare_words(a, b, false); }
int lstrcmpW(LPCWSTR a, LPCWSTR b) { return compare_words(a, b, false); }
int lstrcmpiA(LPCSTR a, LPCSTR b) { return compare_words(a, b, true); }
int lstrcmpiW(LPCWSTR a, LPCWSTR b) { return compare_words(a, b, true); }

UINT GetACP(void) { return CP_UTF8; }
UINT GetOEMCP(void) { return CP_UTF8; }

// Flags about other code pages have no effect on CP_ACP, which programs combine them with; with CP_UTF8 they are refused.
int MultiByteToWideChar(UINT code_page, DWORD flags, LPCSTR text, int count, LPWSTR out, int out_count) {
    const auto source = text_to_convert(code_page, text, count, out, out_count);
    if (!source) return 0;
    const DWORD of_other_pages = MB_PRECOMPOSED | MB_COMPOSITE | MB_USEGLYPHCHARS;
    if (flags & ~(MB_ERR_INVALID_CHARS | (code_page == CP_UTF8 ? 0 : of_other_pages))) return fail(ERROR_INVALID_FLAGS);
    std::u16string converted;
    const char* const end = source->data() + source->size();
    for (const char* at = source->data(); at < end;) {
        const std::optional<char32_t> code_point = take_code_point(at, end);
        if (!code_point && (flags & MB_ERR_INVALID_CHARS)) return fail(ERROR_NO_UNICODE_TRANSLATION);
        append_code_point(converted, code_point.value_or(kReplacement));
    }
    return give(converted, out, out_count);
}

int WideCharToMultiByte(UINT code_page, DWORD flags, LPCWSTR text, int count, LPSTR out, int out_count, LPCSTR default_char,
                        LPBOOL used_default_char) {
    const auto source = text_to_convert(code_page, text, count, out, out_count);
    if (!source) return 0;
    const DWORD of_other_pages = WC_DISCARDNS | WC_SEPCHARS | WC_DEFAULTCHAR | WC_COMPOSITECHECK | WC_NO_BEST_FIT_CHARS;
    if (flags & ~(WC_ERR_INVALID_CHARS | (code_page == CP_UTF8 ? 0 : of_other_pages))) return fail(ERROR_INVALID_FLAGS);
    if (code_page == CP_UTF8 && (default_char || used_default_char)) return fail(ERROR_INVALID_PARAMETER);
    std::string converted;
    BOOL used_default = FALSE;
    const WCHAR* const end = source->data() + source->size();
    for (const WCHAR* at = source->data(); at < end;) {
        const std::optional<char32_t> code_point = take_code_point(at, end);
        if (!code_point && (flags & WC_ERR_INVALID_CHARS)) return fail(ERROR_NO_UNICODE_TRANSLATION);
        if (!code_point) used_default = TRUE;
        if (!code_point && default_char)
            converted += default_char;
        else
            append_code_point(converted, code_point.value_or(kReplacement));
    }
    const int given = give(converted, out, out_count);
    if (given != 0 && used_default_char) *used_default_char = used_default;
    return given;
}

size_t comap_wcslen(const WCHAR* text) { return length_of(text); }

size_t comap_wcsnlen(const WCHAR* text, size_t count_max) {
    size_t count = 0;
    while (count < count_max && text[count] != 0) ++count;
    return count;
}

WCHAR* comap_wcscpy(WCHAR* out, const WCHAR* text) { return copy_whole(out, text); }

WCHAR* comap_wcsncpy(WCHAR* out, const WCHAR* text, size_t count) {
    const size_t copied = comap_wcsnlen(text, count);
    std::copy_n(text, copied, out);
    std::fill(out + copied, out + count, WCHAR{});
    return out;
}

WCHAR* comap_wcscat(WCHAR* out, const WCHAR* text) { return append_whole(out, text); }

WCHAR* comap_wcsncat(WCHAR* out, const WCHAR* text, size_t count) {
    *std::copy_n(text, comap_wcsnlen(text, count), out + length_of(out)) = 0;
    return out;
}

int comap_wcscmp(const WCHAR* a, const WCHAR* b) { return comap_wcsncmp(a, b, SIZE_MAX); }
int comap_wcsncmp(const WCHAR* a, const WCHAR* b, size_t count) { return compare_units(a, b, count, [](WCHAR unit) { return unit; }); }
int comap_wcsicmp(const WCHAR* a, const WCHAR* b) { return comap_wcsnicmp(a, b, SIZE_MAX); }
int comap_wcsnicmp(const WCHAR* a, const WCHAR* b, size_t count) { return compare_units(a, b, count, lower); }

WCHAR* comap_wcschr(const WCHAR* text, WCHAR wanted) {
    return const_cast<WCHAR*>(std::char_traits<WCHAR>::find(text, length_of(text) + 1, wanted));  // the end can be found as well
}

WCHAR* comap_wcsrchr(const WCHAR* text, WCHAR wanted) {
    const WCHAR* at = text + length_of(text);
    while (at > text && *at != wanted) --at;
    return *at == wanted ? const_cast<WCHAR*>(at) : nullptr;
}

WCHAR* comap_wcsstr(const WCHAR* text, const WCHAR* wanted) {
    const size_t found = std::u16string_view(text).find(wanted);
    return found == std::u16string_view::npos ? nullptr : const_cast<WCHAR*>(text + found);
}

WCHAR* comap_wcspbrk(const WCHAR* text, const WCHAR* wanted) {
    const WCHAR* const at = text + comap_wcscspn(text, wanted);
    return *at == 0 ? nullptr : const_cast<WCHAR*>(at);
}

size_t comap_wcsspn(const WCHAR* text, const WCHAR* wanted) {
    const std::u16string_view whole(text);
    return std::min(whole.find_first_not_of(wanted), whole.size());
}

size_t comap_wcscspn(const WCHAR* text, const WCHAR* wanted) {
    const std::u16string_view whole(text);
    return std::min(whole.find_first_of(wanted), whole.size());
}

WCHAR* comap_wcstok_s(WCHAR* text, const WCHAR* delimiters, WCHAR** rest) {
    WCHAR* const start = text ? text : *rest;
    WCHAR* const token = start + comap_wcsspn(start, delimiters);
    WCHAR* const end = token + comap_wcscspn(token, delimiters);
    *rest = *end == 0 ? end : end + 1;
    *end = 0;
    return token == end ? nullptr : token;
}

char* comap_tcsupr(char* text) { return change_ascii(text, upper); }
char* comap_tcslwr(char* text) { return change_ascii(text, lower); }
WCHAR* comap_wcsupr(WCHAR* text) { return change_units(text, upper); }
WCHAR* comap_wcslwr(WCHAR* text) { return change_units(text, lower); }

WCHAR* comap_wcsdup(const WCHAR* text) {
    auto* const copy = static_cast<WCHAR*>(std::malloc((length_of(text) + 1) * sizeof(WCHAR)));
    return copy ? copy_whole(copy, text) : nullptr;
}

long comap_wcstol(const WCHAR* text, WCHAR** end, int base) {
    return parsed(text, end, [base](const char* digits, char** stop) { return std::strtol(digits, stop, base); });
}
unsigned long comap_wcstoul(const WCHAR* text, WCHAR** end, int base) {
    return parsed(text, end, [base](const char* digits, char** stop) { return std::strtoul(digits, stop, base); });
}
LONGLONG comap_wcstoll(const WCHAR* text, WCHAR** end, int base) {
    return parsed(text, end, [base](const char* digits, char** stop) { return std::strtoll(digits, stop, base); });
}
ULONGLONG comap_wcstoull(const WCHAR* text, WCHAR** end, int base) {
    return parsed(text, end, [base](const char* digits, char** stop) { return std::strtoull(digits, stop, base); });
}
double comap_wcstod(const WCHAR* text, WCHAR** end) {
    return parsed(text, end, [](const char* digits, char** stop) { return std::strtod(digits, stop); });
}
int comap_wtoi(const WCHAR* text) { return static_cast<int>(comap_wcstol(text, nullptr, 10)); }
long comap_wtol(const WCHAR* text) { return comap_wcstol(text, nullptr, 10); }
LONGLONG comap_wtoll(const WCHAR* text) { return comap_wcstoll(text, nullptr, 10); }
double comap_wtof(const WCHAR* text) { return comap_wcstod(text, nullptr); }

// Takes whole code points, as many as there is room for.
WCHAR* comap_wfgets(WCHAR* out, int count, FILE* file) {
    std::u16string line;
    const std::size_t room = count > 0 ? static_cast<std::size_t>(count) - 1 : 0;
    while (line.size() < room && (line.empty() || line.back() != '\n')) {
        const int first = std::getc(file);
        if (first == EOF) break;
        if (first >= 0xF0 && line.size() + 2 > room) {  // two units
            std::ungetc(first, file);
            break;
        }
        append_code_point(line, rest_of_code_point(static_cast<char>(first), file));
    }
    if (count <= 0 || (line.empty() && (room > 0 || std::feof(file)))) return nullptr;
    return copy_whole(out, line.c_str());
}

int comap_wfputs(const WCHAR* text, FILE* file) { return std::fputs(utf8_mended(text).c_str(), file); }
int comap_wputs(const WCHAR* text) { return std::puts(utf8_mended(text).c_str()); }

// The first half of a surrogate pair waits for the second.
int comap_wputchar(WCHAR unit) {
    static thread_local std::u16string pair;
    pair += unit;
    if (is_high_surrogate(unit)) return unit;
    const std::string text = utf8_mended(std::exchange(pair, {}));
    return std::fputs(text.c_str(), stdout) < 0 ? EOF : unit;
}

FILE* comap_wfopen(const WCHAR* path, const WCHAR* mode) {
    const std::optional<std::string> path_utf8 = utf8(path);
    if (!path_utf8) {
        errno = EINVAL;
        return nullptr;
    }
    return std::fopen(path_utf8->c_str(), utf8_mended(mode).c_str());
}

// Each value stays, for whoever still has it.
WCHAR* comap_wgetenv(const WCHAR* name) {
    const std::optional<std::string> name_utf8 = utf8(name);
    const char* const value = name_utf8 ? std::getenv(name_utf8->c_str()) : nullptr;
    if (!value) return nullptr;
    static auto* const mutex = new std::mutex;
    static auto* const values = new std::set<std::u16string>;
    const std::lock_guard guard(*mutex);
    return const_cast<WCHAR*>(values->insert(utf16(value)).first->c_str());
}

int comap_wsystem(const WCHAR* command) { return std::system(command ? utf8_mended(command).c_str() : nullptr); }

#define COMAP_CHECKED_COPIES(prefix, T)                                                                                   \
    errno_t prefix##cscpy_s(T* out, size_t count, const T* text) { return copy_checked(out, count, 0, text, kWhole); }   \
    errno_t prefix##csncpy_s(T* out, size_t count, const T* text, size_t length_max) {                                    \
        return copy_checked(out, count, 0, text, length_max);                                                             \
    }                                                                                                                      \
    errno_t prefix##cscat_s(T* out, size_t count, const T* text) { return append_checked(out, count, text); }
COMAP_CHECKED_COPIES(comap_t, char)
COMAP_CHECKED_COPIES(comap_w, WCHAR)

}  // extern "C"
