// SPDX-License-Identifier: Apache-2.0
// Records that describe themselves. A C++ aggregate is described once, by COMAP_RECORD; objects that hold it carry the description, so
// that a reader in any language finds the fields by name, and one that expects other fields is refused by the name of the first
// that differs. The description is a format string as in PEP 3118 (NumPy reads it), always little-endian and without implied padding.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <comap/error.hpp>
#include <comap/export.h>

namespace comap {

// Longest description, in bytes, of a record.
inline constexpr std::size_t kRecordFormatMax = 1920;

// Largest record, in bytes.
inline constexpr std::uint64_t kRecordBytesMax = 1u << 30;

// UTF-8 of at most N bytes, filled up with NUL; a text of N bytes has none.
template <std::size_t N>
struct FixedText {
    char bytes[N];

    constexpr FixedText() : bytes{} {}
    constexpr FixedText(std::string_view text) : bytes{} { assign(text); }
    constexpr FixedText(const char* text) : FixedText(std::string_view(text)) {}

    // What does not fit is left out, by whole characters. Returns whether all of it fitted.
    constexpr bool assign(std::string_view text) {
        std::size_t size = std::min(text.size(), N);
        while (size < text.size() && size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
        for (std::size_t i = 0; i < N; ++i) bytes[i] = i < size ? text[i] : '\0';
        return size == text.size();
    }

    constexpr std::string_view view() const {
        std::size_t size = 0;
        while (size < N && bytes[size] != '\0') ++size;
        return {bytes, size};
    }
    constexpr operator std::string_view() const { return view(); }
    friend constexpr bool operator==(const FixedText& a, const FixedText& b) { return a.view() == b.view(); }
};

// Bytes without a meaning. Padding that a compiler would add must be declared by these, so that all compilers agree.
template <std::size_t N>
struct Padding {
    std::byte bytes[N];
};

// What a field can be. The sizes are those of the letters in the format: 1, 2, 4 or 8 bytes; a text has any.
enum class FieldKind : std::uint8_t { boolean, signed_integer, unsigned_integer, floating, text, record };

struct RecordField {
    std::string name;
    FieldKind kind = FieldKind::boolean;
    std::uint64_t offset_bytes = 0;      // in the record that it is a field of; of the first, for an array
    std::uint32_t size_bytes = 0;        // of one element
    std::vector<std::uint32_t> shape;    // of an array; empty: one element
    std::vector<RecordField> fields;     // of a nested record, with offsets in that

    std::uint64_t count() const;         // of elements
};

// A description that was checked. Immutable; may be shared by threads.
class COMAP_API RecordType {
  public:
    RecordType() = default;

    // From a PEP 3118 string: <T{d:t:d:bid:16s:symbol:}. Any bytes may be given. Errors: invalid_argument, saying where.
    static Result<RecordType> parse(std::string_view format);

    // From a short list, as the command line takes it: "t:f8,bid:f8,flags:u1[4],symbol:s16". Types: i1 i2 i4 i8, u1 u2 u4 u8, f4 f8,
    // b1 (bool), sN (text of N bytes), xN (padding; its name is not kept); [n] or [n,m] makes an array. Fields follow each other
    // without gaps. Errors: invalid_argument.
    static Result<RecordType> from_list(std::string_view list);

    const std::string& format() const { return format_; }  // in the one canonical spelling
    std::uint64_t size_bytes() const { return size_bytes_; }
    const std::vector<RecordField>& fields() const { return fields_; }

    // What is different in `other`: the first field, by name, and how. Empty if they are the same.
    // `allow_longer`: fields that `other` has beyond the last of this one do not count.
    std::string first_difference(const RecordType& other, bool allow_longer) const;

  private:
    std::string format_;
    std::uint64_t size_bytes_ = 0;
    std::vector<RecordField> fields_;
};

namespace internal {

struct FormatText {
    std::array<char, kRecordFormatMax> text{};
    std::size_t size = 0;
    constexpr void add(char one) { text[size++] = one; }
    constexpr void add(std::string_view many) {
        for (const char one : many) add(one);
    }
    constexpr void add_number(std::size_t number) {
        if (number >= 10) add_number(number / 10);
        add(static_cast<char>('0' + number % 10));
    }
    constexpr std::string_view view() const { return {text.data(), size}; }
};

struct DescribedField {
    std::string_view name;
    std::size_t offset;
    std::size_t size;
    bool is_padding;
    void (*add_type)(FormatText&);
};

template <typename T>
struct FixedTextSize : std::integral_constant<std::size_t, 0> {};
template <std::size_t N>
struct FixedTextSize<FixedText<N>> : std::integral_constant<std::size_t, N> {};
template <typename T>
struct PaddingSize : std::integral_constant<std::size_t, 0> {};
template <std::size_t N>
struct PaddingSize<Padding<N>> : std::integral_constant<std::size_t, N> {};

template <typename T, std::size_t N>
struct PaddingSize<T[N]> : PaddingSize<T> {};
template <typename T, std::size_t N>
struct PaddingSize<std::array<T, N>> : PaddingSize<T> {};

template <typename T>
struct ArrayOf {
    using Element = std::remove_extent_t<T>;
    static constexpr std::size_t kCount = std::extent_v<T>;
};
template <typename T, std::size_t N>
struct ArrayOf<std::array<T, N>> {
    using Element = T;
    static constexpr std::size_t kCount = N;
};

// Never defined: where one of these is called while a description is made, the compiler names it.
void there_is_padding_before_a_field_or_at_the_end__declare_it_with_comap_Padding();
void fields_must_be_listed_in_the_order_of_the_struct();

template <typename T>
concept Described = requires { comap_describe(static_cast<const T*>(nullptr)); };

template <typename T>
constexpr void add_fields(FormatText& out) {
    std::size_t end = 0;
    for (const DescribedField& field : comap_describe(static_cast<const T*>(nullptr))) {
        if (field.offset < end) fields_must_be_listed_in_the_order_of_the_struct();
        if (field.offset > end) there_is_padding_before_a_field_or_at_the_end__declare_it_with_comap_Padding();
        field.add_type(out);
        if (!field.is_padding) {
            out.add(':');
            out.add(field.name);
            out.add(':');
        }
        end = field.offset + field.size;
    }
    if (end != sizeof(T)) there_is_padding_before_a_field_or_at_the_end__declare_it_with_comap_Padding();
}

template <typename T>
constexpr void add_shape(FormatText& out) {
    if constexpr (ArrayOf<T>::kCount > 0) {
        out.add_number(ArrayOf<T>::kCount);
        if constexpr (ArrayOf<typename ArrayOf<T>::Element>::kCount > 0) out.add(',');
        add_shape<typename ArrayOf<T>::Element>(out);
    }
}

template <typename T>
constexpr void add_type(FormatText& out) {
    if constexpr (std::is_enum_v<T>) {
        add_type<std::underlying_type_t<T>>(out);
    } else if constexpr (ArrayOf<T>::kCount > 0) {
        out.add('(');
        add_shape<T>(out);
        out.add(')');
        add_innermost<typename ArrayOf<T>::Element>(out);
    } else if constexpr (FixedTextSize<T>::value > 0 || PaddingSize<T>::value > 0) {
        out.add_number(sizeof(T));
        out.add(FixedTextSize<T>::value > 0 ? 's' : 'x');
    } else if constexpr (std::is_same_v<T, bool>) {
        static_assert(sizeof(bool) == 1);
        out.add('?');
    } else if constexpr (std::is_integral_v<T>) {
        constexpr std::size_t index = sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3;
        out.add((std::is_signed_v<T> ? "bhiq" : "BHIQ")[index]);
    } else if constexpr (std::is_floating_point_v<T>) {
        static_assert(sizeof(T) == 4 || sizeof(T) == 8, "only float and double have the same bytes everywhere");
        out.add(sizeof(T) == 4 ? 'f' : 'd');
    } else {
        static_assert(Described<T>, "this type has no description: use fixed-width numbers, arrays, FixedText, or describe it with COMAP_RECORD");
        out.add("T{");
        add_fields<T>(out);
        out.add('}');
    }
}

template <typename T>
constexpr void add_innermost(FormatText& out) {
    if constexpr (ArrayOf<T>::kCount > 0) add_innermost<typename ArrayOf<T>::Element>(out);
    else add_type<T>(out);
}

template <typename T>
consteval FormatText make_format() {
    static_assert(std::is_trivially_copyable_v<T> && std::is_standard_layout_v<T>, "a record is a plain struct");
    FormatText out;
    out.add("<T{");
    add_fields<T>(out);
    out.add('}');
    return out;
}

template <typename T>
inline constexpr FormatText kFormatOf = make_format<T>();

}  // namespace internal

template <typename T>
concept Record = internal::Described<T>;

// The description of a T.
template <Record T>
constexpr std::string_view record_format() {
    return internal::kFormatOf<T>.view();
}

}  // namespace comap

// Describes a struct by its fields, all of them, in their order; written after it, in its namespace:
//   struct Quote { double bid, ask; comap::FixedText<16> symbol; };
//   COMAP_RECORD(Quote, bid, ask, symbol);
#define COMAP_RECORD(Type, ...)                                                                 \
    [[maybe_unused]] constexpr auto comap_describe(const Type*) {                               \
        return std::array{COMAP_RECORD_EXPAND(COMAP_RECORD_FIELDS(Type, __VA_ARGS__))};          \
    }                                                                                           \
    static_assert(::comap::Record<Type>)

#define COMAP_RECORD_FIELD(Type, field)                                                          \
    ::comap::internal::DescribedField {                                                          \
        #field, offsetof(Type, field), sizeof(Type::field),                                      \
            (::comap::internal::PaddingSize<decltype(Type::field)>::value > 0), &::comap::internal::add_type<decltype(Type::field)> \
    }
#define COMAP_RECORD_FIELDS(Type, field, ...) \
    COMAP_RECORD_FIELD(Type, field) __VA_OPT__(, COMAP_RECORD_MORE COMAP_RECORD_PARENS(Type, __VA_ARGS__))
#define COMAP_RECORD_MORE() COMAP_RECORD_FIELDS
#define COMAP_RECORD_PARENS ()
#define COMAP_RECORD_EXPAND(...) COMAP_RECORD_EXPAND3(COMAP_RECORD_EXPAND3(COMAP_RECORD_EXPAND3(COMAP_RECORD_EXPAND3(__VA_ARGS__))))
#define COMAP_RECORD_EXPAND3(...) COMAP_RECORD_EXPAND2(COMAP_RECORD_EXPAND2(COMAP_RECORD_EXPAND2(COMAP_RECORD_EXPAND2(__VA_ARGS__))))
#define COMAP_RECORD_EXPAND2(...) COMAP_RECORD_EXPAND1(COMAP_RECORD_EXPAND1(COMAP_RECORD_EXPAND1(COMAP_RECORD_EXPAND1(__VA_ARGS__))))
#define COMAP_RECORD_EXPAND1(...) __VA_ARGS__
