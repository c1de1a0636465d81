// SPDX-License-Identifier: Apache-2.0
#include "command_line.hpp"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace comap::tool {

namespace {

// All of the text, and finite.
std::optional<double> number_in(const std::string& text) {
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool is_good = error == std::errc() && end == text.data() + text.size() && std::isfinite(number);
    return is_good ? std::optional(number) : std::nullopt;
}

}  // namespace

const Argument& Argument::required() const {
    option_->required();
    return *this;
}
const Argument& Argument::type_name(const char* name) const {
    option_->type_name(name);
    return *this;
}
const Argument& Argument::one_of(std::initializer_list<const char*> values) const {
    option_->check(CLI::IsMember(std::vector<std::string>(values.begin(), values.end())));
    return *this;
}
const Argument& Argument::positive() const {
    return judged_by([](const std::string& text) {
        const auto number = number_in(text);
        return number && *number > 0 ? std::string() : fmt::format("'{}' is not a number above 0", text);
    });
}
const Argument& Argument::within(double least, double most) const {
    return judged_by([least, most](const std::string& text) {
        const auto number = number_in(text);
        return number && *number >= least && *number <= most ? std::string() : fmt::format("'{}' is not a number from {} to {}", text, least, most);
    });
}
const Argument& Argument::seconds() const {
    return judged_by([](const std::string& text) {
        const auto number = number_in(text);
        return number && *number >= 0 ? std::string() : fmt::format("'{}' is not a number of seconds", text);
    }).type_name("S");
}
const Argument& Argument::judged_by(Judge judge) const {
    option_->check(CLI::Validator(std::move(judge), ""));
    return *this;
}
const Argument& Argument::excludes(const Argument& other) const {
    option_->excludes(other.option_);
    return *this;
}
const Argument& Argument::needs(const Argument& other) const {
    option_->needs(other.option_);
    return *this;
}
const Argument& Argument::one_value_each_time() const {
    option_->allow_extra_args(false);
    return *this;
}

CommandLine CommandLine::add_command(const char* name, const char* summary, const char* examples, std::function<void()> when_given) const {
    CLI::App* const command = app_->add_subcommand(name, summary);
    command->footer(std::string("\nExamples:\n") + examples);
    command->final_callback(std::move(when_given));
    return CommandLine(*command);
}

Argument CommandLine::add_flag(const std::string& names, bool& value, const std::string& help) const { return Argument(app_->add_flag(names, value, help)); }

template <typename T>
Argument CommandLine::add_option(const std::string& names, T& value, const std::string& help) const {
    return Argument(app_->add_option(names, value, help));
}
template Argument CommandLine::add_option(const std::string&, std::string&, const std::string&) const;
template Argument CommandLine::add_option(const std::string&, std::vector<std::string>&, const std::string&) const;
template Argument CommandLine::add_option(const std::string&, double&, const std::string&) const;
template Argument CommandLine::add_option(const std::string&, std::optional<double>&, const std::string&) const;
template Argument CommandLine::add_option(const std::string&, std::uint32_t&, const std::string&) const;
template Argument CommandLine::add_option(const std::string&, std::uint64_t&, const std::string&) const;
template Argument CommandLine::add_option(const std::string&, std::optional<std::uint32_t>&, const std::string&) const;
template Argument CommandLine::add_option(const std::string&, std::optional<std::int64_t>&, const std::string&) const;
template Argument CommandLine::add_option(const std::string&, std::optional<std::uint64_t>&, const std::string&) const;

Argument CommandLine::add_judged(const std::string& names, Judge judge, const std::string& help) const {
    const auto take = [names, judge = std::move(judge)](const std::string& text) {
        const std::string wrong = judge(text);
        if (!wrong.empty()) throw CLI::ValidationError(names, wrong);
    };
    return Argument(app_->add_option_function<std::string>(names, take, help));
}

void CommandLine::words_end_options() const { app_->positionals_at_end(); }

}  // namespace comap::tool
