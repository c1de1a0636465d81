// SPDX-License-Identifier: Apache-2.0
// Keys, and messages to people.
#include <conio.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <locale.h>
#include <string>
#include <string_view>
#include <sys/ioctl.h>
#include <unistd.h>
#include <utility>
#include <vector>
#include <wchar.h>

#include "win32/errors.hpp"
#include "win32/terminal.hpp"
#include "win32/text.hpp"

namespace comap::win32 {
namespace {

constexpr std::size_t kBoxWidthMax = 76;
constexpr std::size_t kTabWidth = 8;

// What frames are drawn with.
struct Lines {
    std::string_view across, down, top_left, top_right, bottom_left, bottom_right;
};
constexpr Lines kDrawn{"─", "│", "┌", "┐", "└", "┘"};
constexpr Lines kTyped{"-", "|", "+", "+", "+", "+"};

bool is_utf8_terminal() {
    for (const char* const variable : {"LC_ALL", "LC_CTYPE", "LANG"}) {
        const char* const value = std::getenv(variable);
        if (value && *value) return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
    }
    return false;
}

struct Answer {
    int id;
    std::string_view label;
    char key;
};
constexpr Answer kOk{IDOK, "OK", 'o'};
constexpr Answer kCancel{IDCANCEL, "Cancel", 'c'};
constexpr Answer kAbort{IDABORT, "Abort", 'a'};
constexpr Answer kRetry{IDRETRY, "Retry", 'r'};
constexpr Answer kIgnore{IDIGNORE, "Ignore", 'i'};
constexpr Answer kYes{IDYES, "Yes", 'y'};
constexpr Answer kNo{IDNO, "No", 'n'};
constexpr Answer kTryAgain{IDTRYAGAIN, "Try again", 't'};
constexpr Answer kContinue{IDCONTINUE, "Go on", 'g'};

std::vector<Answer> answers_of(UINT type) {
    switch (type & MB_TYPEMASK) {
        case MB_OK: return {kOk};
        case MB_OKCANCEL: return {kOk, kCancel};
        case MB_ABORTRETRYIGNORE: return {kAbort, kRetry, kIgnore};
        case MB_YESNOCANCEL: return {kYes, kNo, kCancel};
        case MB_YESNO: return {kYes, kNo};
        case MB_RETRYCANCEL: return {kRetry, kCancel};
        case MB_CANCELTRYCONTINUE: return {kCancel, kTryAgain, kContinue};
        default: return {};
    }
}

Answer default_of(const std::vector<Answer>& answers, UINT type) {
    const std::size_t index = (type & MB_DEFMASK) / MB_DEFBUTTON2;
    return answers[index < answers.size() ? index : 0];
}

// Columns on the screen.
std::size_t width_of(char32_t code_point) {
    static const locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    if (code_point < 0x80 || !locale) return 1;
    const locale_t own = uselocale(locale);
    const int width = wcwidth(static_cast<wchar_t>(code_point));
    uselocale(own);
    return width < 0 ? 1 : static_cast<std::size_t>(width);
}

struct Word {
    std::string text;
    std::size_t width = 0;

    void add(char32_t code_point) {
        append_code_point(text, code_point);
        width += width_of(code_point);
    }
    void add(const Word& other) {
        text += other.text;
        width += other.width;
    }
};

// Control characters must not get to the terminal.
bool is_control(char32_t c) { return c < 0x20 || (c >= 0x7F && c < 0xA0); }

// Breaks text into lines of at most that many columns: at spaces, or within a word that is longer.
class Wrapper {
  public:
    explicit Wrapper(std::size_t width_max) : width_max_(width_max) {}

    std::vector<Word> run(std::string_view text) {
        const char* const end = text.data() + text.size();
        for (const char* at = text.data(); at < end;) {
            const char32_t c = take_code_point(at, end).value_or(kReplacement);
            if (c == '\n')
                end_line();
            else if (c == ' ' || c == '\t')
                take_space(c);
            else if (c != '\r')
                take_character(is_control(c) ? kReplacement : c);
        }
        if (line_.width + word_.width > 0 || lines_.empty()) end_line();
        return std::move(lines_);
    }

  private:
    void take_space(char32_t c) {
        end_word();
        const std::size_t count = c == '\t' ? kTabWidth - line_.width % kTabWidth : 1;
        for (std::size_t i = 0; i < count && line_.width < width_max_; ++i) line_.add(U' ');
    }

    void take_character(char32_t c) {
        if (word_.width + width_of(c) > width_max_) end_word();
        word_.add(c);
    }

    void end_word() {
        if (line_.width + word_.width > width_max_) push_line();
        line_.add(std::exchange(word_, {}));
    }

    void end_line() {
        end_word();
        push_line();
    }

    void push_line() { lines_.push_back(std::exchange(line_, {})); }

    std::size_t width_max_;
    Word line_;
    Word word_;
    std::vector<Word> lines_;
};

std::size_t box_width_max() {
    winsize size{};
    const bool is_known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    const std::size_t columns = is_known ? size.ws_col : 80;
    return std::clamp<std::size_t>(columns - std::min<std::size_t>(columns, 4), 8, kBoxWidthMax);
}

std::string repeated(std::string_view text, std::size_t count) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i) out += text;
    return out;
}

// "[O]K  [C]ancel", or what Enter does where there is nothing to choose.
std::string choices(const std::vector<Answer>& answers) {
    if (answers.size() == 1) return "[Enter]";
    std::string out;
    for (const Answer& answer : answers) {
        if (!out.empty()) out += "  ";
        out += '[' + std::string(answer.label.substr(0, 1)) + ']' + std::string(answer.label.substr(1));
    }
    return out;
}

std::string framed(std::string_view caption, std::string_view text, std::string_view last_line) {
    const Lines& lines = is_utf8_terminal() ? kDrawn : kTyped;
    const std::size_t width_max = box_width_max();
    const Word title = Wrapper(width_max).run(caption).front();
    std::vector<Word> rows = Wrapper(width_max).run(text);
    rows.emplace_back();
    for (const Word& row : Wrapper(width_max).run(last_line)) rows.push_back(row);
    std::size_t width = title.width;
    for (const Word& row : rows) width = std::max(width, row.width);
    std::string out;
    out += std::string(lines.top_left) + ' ' + title.text + ' ' + repeated(lines.across, width - title.width);
    out += std::string(lines.top_right) + '\n';
    for (const Word& row : rows)
        out += std::string(lines.down) + ' ' + row.text + std::string(width - row.width, ' ') + ' ' + std::string(lines.down) + '\n';
    out += std::string(lines.bottom_left) + repeated(lines.across, width + 2) + std::string(lines.bottom_right) + '\n';
    return out;
}

// Enter takes the default, Escape what lets people out; the end of the input counts as Enter.
int ask(const std::vector<Answer>& answers, const Answer& default_answer) {
    for (;;) {
        const int key = read_key();
        if (key < 0 || key == '\r' || key == '\n') return default_answer.id;
        if (answers.size() == 1) {
            if (key == 27) return answers.front().id;
            continue;
        }
        for (const Answer& answer : answers)
            if (std::tolower(key) == answer.key || (key == 27 && answer.id == IDCANCEL)) return answer.id;
    }
}

int show_message(std::string_view caption, std::string_view text, UINT type) {
    const std::vector<Answer> answers = answers_of(type);
    if (answers.empty()) return fail(ERROR_INVALID_MSGBOX_STYLE);
    const Answer default_answer = default_of(answers, type);
    const bool asks = is_terminal();
    const std::string shown = asks ? framed(caption, text, choices(answers)) : std::string(caption) + ": " + std::string(text) + '\n';
    std::fwrite(shown.data(), 1, shown.size(), stdout);
    std::fflush(stdout);
    return asks ? ask(answers, default_answer) : default_answer.id;
}

constexpr std::string_view kDefaultCaption = "Error";

}  // namespace
}  // namespace comap::win32

using namespace comap::win32;

extern "C" {

int MessageBoxA(HWND, LPCSTR text, LPCSTR caption, UINT type) {
    return show_message(caption ? caption : kDefaultCaption, text ? text : "", type);
}

int MessageBoxW(HWND, LPCWSTR text, LPCWSTR caption, UINT type) {
    return show_message(caption ? utf8_mended(caption) : std::string(kDefaultCaption), text ? utf8_mended(text) : std::string(), type);
}

int _getch(void) { return read_key(); }

int _getche(void) {
    const int key = read_key();
    return key < 0 ? key : _putch(key);
}

int _putch(int character) {
    const int put = std::putc(character, stdout);
    return std::fflush(stdout) == 0 ? put : -1;
}

int _cputs(const char* text) { return std::fputs(text, stdout) >= 0 && std::fflush(stdout) == 0 ? 0 : -1; }

int _kbhit(void) { return has_key() ? 1 : 0; }

}  // extern "C"
