// SPDX-License-Identifier: Apache-2.0
// What a command takes: options, flags and words. CLI11 does the work; it is seen in two sources only, for each that includes it
// compiles seconds of it.
#pragma once

#include <functional>
#include <initializer_list>
#include <string>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace comap::tool {

// Says what is wrong with a text that was given; nothing: an empty one. It may keep what it makes of the text.
using Judge = std::function<std::string(const std::string&)>;

// One option, flag or word of a command. What it says can be said one after the other.
class Argument {
  public:
    explicit Argument(CLI::Option* option) : option_(option) {}

    const Argument& required() const;
    const Argument& type_name(const char* name) const;  // what help shows for its value; "": nothing
    const Argument& one_of(std::initializer_list<const char*> values) const;
    const Argument& positive() const;
    const Argument& within(double least, double most) const;
    const Argument& seconds() const;  // a number of them: finite, not negative
    const Argument& judged_by(Judge judge) const;
    const Argument& excludes(const Argument& other) const;
    const Argument& needs(const Argument& other) const;
    const Argument& one_value_each_time() const;

  private:
    CLI::Option* option_;
};

class CommandLine {
  public:
    explicit CommandLine(CLI::App& app) : app_(&app) {}

    // `examples`: lines for its help. `when_given` is called when it was.
    CommandLine add_command(const char* name, const char* summary, const char* examples, std::function<void()> when_given) const;

    // `names`: "-f,--follow", or "FILE" of a word. What is given goes to `value`, which lives until the line is parsed.
    Argument add_flag(const std::string& names, bool& value, const std::string& help) const;
    template <typename T>
    Argument add_option(const std::string& names, T& value, const std::string& help) const;  // for those T's that command_line.cpp names
    Argument add_judged(const std::string& names, Judge judge, const std::string& help) const;
    void words_end_options() const;  // after the last word that is asked for, everything is a word

  private:
    CLI::App* app_;
};

}  // namespace comap::tool
