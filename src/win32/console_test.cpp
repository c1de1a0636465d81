// SPDX-License-Identifier: Apache-2.0
// A child at a terminal of its own; the test presses the keys and reads the screen.
#include <conio.h>
#include <windows.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <poll.h>
#include <pty.h>
#include <string>
#include <string_view>
#include <sys/wait.h>
#include <termios.h>
#include <thread>
#include <unistd.h>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 20s;

// Waits until it is so; false if that takes too long.
bool becomes(const std::function<bool()>& is_so) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!is_so()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::sleep_for(1ms);
    }
    return true;
}

class ChildAtTerminal {
  public:
    // The child ends with what `run` gives.
    explicit ChildAtTerminal(const std::function<int()>& run, const char* language = "C.UTF-8") {
        winsize size{};
        size.ws_row = 25;
        size.ws_col = 40;
        pid_ = forkpty(&master_, nullptr, nullptr, &size);
        if (pid_ == 0) {
            setenv("LC_ALL", language, 1);
            alarm(60);  // a child that hangs ends
            const int status = run();
            std::fflush(stdout);
            _exit(status);
        }
    }
    ~ChildAtTerminal() {
        if (!has_ended_) {
            kill(pid_, SIGKILL);
            waitpid(pid_, nullptr, 0);
        }
        close(master_);
    }
    ChildAtTerminal(const ChildAtTerminal&) = delete;
    ChildAtTerminal& operator=(const ChildAtTerminal&) = delete;

    pid_t pid() const { return pid_; }
    void press(std::string_view keys) const { EXPECT_EQ(write(master_, keys.data(), keys.size()), static_cast<ssize_t>(keys.size())); }

    bool is_raw() const {
        termios mode{};
        return tcgetattr(master_, &mode) == 0 && !(mode.c_lflag & (ICANON | ECHO));
    }
    bool is_as_before() const {
        termios mode{};
        return tcgetattr(master_, &mode) == 0 && (mode.c_lflag & ICANON) && (mode.c_lflag & ECHO) && (mode.c_iflag & ICRNL);
    }
    bool becomes_raw() const {
        return becomes([this] { return is_raw(); });
    }

    bool shows(std::string_view text) {
        return becomes([&] {
            read_some();
            return screen_.find(text) != std::string::npos;
        });
    }
    const std::string& screen() const { return screen_; }

    // The status as waitpid gives it.
    int end() {
        int status = -1;
        has_ended_ = becomes([&] {
            read_some();
            return waitpid(pid_, &status, WNOHANG) == pid_;
        });
        read_some();
        return status;
    }

  private:
    void read_some() {
        pollfd input{master_, POLLIN, 0};
        std::array<char, 256> bytes;
        while (poll(&input, 1, 0) == 1 && (input.revents & POLLIN)) {
            const ssize_t count = read(master_, bytes.data(), bytes.size());
            if (count <= 0) return;
            screen_.append(bytes.data(), static_cast<std::size_t>(count));
        }
    }

    int master_ = -1;
    pid_t pid_ = -1;
    bool has_ended_ = false;
    std::string screen_;
};

int exit_status(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : -1; }

TEST(Win32Console, GetchTakesOneKeyAndShowsNothing) {
    ChildAtTerminal child([] {
        std::printf("press");  // shown though no line ends
        return _getch();
    });
    EXPECT_TRUE(child.shows("press"));
    EXPECT_TRUE(child.becomes_raw());
    child.press("x");
    EXPECT_EQ(exit_status(child.end()), 'x');
    EXPECT_EQ(child.screen(), "press");
    EXPECT_TRUE(child.is_as_before());
}

TEST(Win32Console, EnterIsCarriageReturn) {
    ChildAtTerminal child([] { return _getch(); });
    EXPECT_TRUE(child.becomes_raw());
    child.press("\r");
    EXPECT_EQ(exit_status(child.end()), '\r');
}

TEST(Win32Console, GetcheShowsTheKey) {
    ChildAtTerminal child([] { return _getche(); });
    EXPECT_TRUE(child.becomes_raw());
    child.press("y");
    EXPECT_EQ(exit_status(child.end()), 'y');
    EXPECT_EQ(child.screen(), "y");
}

TEST(Win32Console, KbhitSeesAKeyWithoutTakingIt) {
    ChildAtTerminal child([] {
        const int before = _kbhit();
        std::puts("ready");
        std::fflush(stdout);
        while (!_kbhit()) Sleep(1);
        return before == 0 ? _getch() : 1;
    });
    EXPECT_TRUE(child.shows("ready"));
    child.press("k");
    EXPECT_EQ(exit_status(child.end()), 'k');
    EXPECT_TRUE(child.is_as_before());
}

TEST(Win32Console, ASignalThatEndsTheProgramGivesTheTerminalBack) {
    for (const int signal_number : {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGABRT, SIGUSR1}) {
        ChildAtTerminal child([] { return _getch(); });
        EXPECT_TRUE(child.becomes_raw());
        if (signal_number == SIGINT)
            child.press("\x03");
        else
            kill(child.pid(), signal_number);
        const int status = child.end();
        EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == signal_number) << status;
        EXPECT_TRUE(child.is_as_before()) << signal_number;
    }
}

TEST(Win32Console, ASignalInAnotherThreadGivesTheTerminalBack) {
    ChildAtTerminal child([] {
        std::thread([] { _getch(); }).detach();
        for (;;) pause();
        return 0;
    });
    EXPECT_TRUE(child.becomes_raw());
    kill(child.pid(), SIGTERM);
    EXPECT_TRUE(WIFSIGNALED(child.end()));
    EXPECT_TRUE(child.is_as_before());
}

TEST(Win32Console, AHandlerOfTheProgramSeesTheTerminalAsItWas) {
    ChildAtTerminal child([] {
        signal(SIGUSR1, [](int) {
            termios mode{};
            const bool is_as_before = tcgetattr(STDIN_FILENO, &mode) == 0 && (mode.c_lflag & ICANON);
            [[maybe_unused]] const ssize_t written = write(STDOUT_FILENO, is_as_before ? "own" : "raw", 3);
        });
        return _getch();
    });
    EXPECT_TRUE(child.becomes_raw());
    kill(child.pid(), SIGUSR1);
    EXPECT_TRUE(child.shows("own"));
    EXPECT_TRUE(child.becomes_raw());
    child.press("z");
    EXPECT_EQ(exit_status(child.end()), 'z');
    EXPECT_TRUE(child.is_as_before());
}

// What a shell does: lets a job of its own have the terminal, waits until it is stopped, and lets it go on.
int run_as_shell(int (*job)()) {
    signal(SIGTTOU, SIG_IGN);
    const pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        tcsetpgrp(STDIN_FILENO, getpid());
        signal(SIGTTOU, SIG_DFL);
        _exit(job());
    }
    setpgid(pid, pid);
    int status = 0;
    if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status)) return 1;
    tcsetpgrp(STDIN_FILENO, getpgrp());
    std::puts("stopped");
    std::fflush(stdout);
    if (std::getchar() != 'g') return 2;
    tcsetpgrp(STDIN_FILENO, pid);
    kill(pid, SIGCONT);
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 3;
}

TEST(Win32Console, StoppedAndContinued) {
    ChildAtTerminal child([] { return run_as_shell(_getch); });
    EXPECT_TRUE(child.becomes_raw());
    child.press("\x1a");  // Control-Z
    EXPECT_TRUE(child.shows("stopped"));
    EXPECT_TRUE(child.is_as_before());
    child.press("g\n");
    EXPECT_TRUE(child.becomes_raw());
    child.press("s");
    EXPECT_EQ(exit_status(child.end()), 's');
    EXPECT_TRUE(child.is_as_before());
}

TEST(Win32Console, ExitInAnotherThreadGivesTheTerminalBack) {
    ChildAtTerminal child([] {
        std::thread([] { _getch(); }).detach();
        termios mode{};
        do Sleep(1);
        while (tcgetattr(STDIN_FILENO, &mode) != 0 || (mode.c_lflag & ICANON));
        std::exit(3);
        return 0;
    });
    EXPECT_EQ(exit_status(child.end()), 3);
    EXPECT_TRUE(child.is_as_before());
}

// The child has no thread that would give the lock back, and no business with the signals of the one that waits.
TEST(Win32Console, AForkWhileAThreadWaitsForAKey) {
    ChildAtTerminal child([] {
        int key = 0;
        std::thread reader([&] { key = _getch(); });
        becomes([] {
            termios mode{};
            return tcgetattr(STDIN_FILENO, &mode) == 0 && !(mode.c_lflag & ICANON);
        });
        const pid_t forked = fork();
        if (forked == 0) {
            alarm(60);
            struct sigaction action {};
            sigaction(SIGTERM, nullptr, &action);
            _exit(action.sa_handler == SIG_DFL ? _getch() : 1);
        }
        std::puts("forked");
        std::fflush(stdout);
        int status = -1;
        waitpid(forked, &status, 0);
        reader.join();
        return WIFEXITED(status) && WEXITSTATUS(status) + key == 'a' + 'b' ? 0 : 1;
    });
    EXPECT_TRUE(child.shows("forked"));
    child.press("ab\n");  // whoever comes first ends the raw mode, in which the other waits: then he has a whole line to read from
    EXPECT_EQ(exit_status(child.end()), 0);
}

TEST(Win32Console, MessageBoxIsFramedAndWaitsForEnter) {
    ChildAtTerminal child([] {
        const WCHAR* const text = u"gr\u00f6\u00dfer \u4e2d\nsecond line that is wrapped at the width of the terminal\033[2J";
        return MessageBoxW(nullptr, text, u"caption", MB_OK);
    });
    EXPECT_TRUE(child.becomes_raw());
    child.press("q\r");
    EXPECT_EQ(exit_status(child.end()), IDOK);
    EXPECT_EQ(child.screen(),
              "┌ caption ────────────────────────────┐\r\n"
              "│ gr\u00f6\u00dfer \u4e2d                           │\r\n"
              "│ second line that is wrapped at the  │\r\n"
              "│ width of the terminal\ufffd[2J           │\r\n"
              "│                                     │\r\n"
              "│ [Enter]                             │\r\n"
              "└─────────────────────────────────────┘\r\n");
    EXPECT_TRUE(child.is_as_before());
}

TEST(Win32Console, FramesOfPlainCharacters) {
    ChildAtTerminal child([] { return MessageBoxA(nullptr, "text", nullptr, MB_YESNO | MB_DEFBUTTON2); }, "C");
    EXPECT_TRUE(child.becomes_raw());
    child.press("\r");
    EXPECT_EQ(exit_status(child.end()), IDNO);
    EXPECT_EQ(child.screen(),
              "+ Error ------+\r\n"
              "| text        |\r\n"
              "|             |\r\n"
              "| [Y]es  [N]o |\r\n"
              "+-------------+\r\n");
}

TEST(Win32Console, AnswersHaveKeys) {
    struct Case {
        UINT type;
        std::string_view keys;
        int answer;
    };
    for (const Case& c : {Case{MB_OKCANCEL, "c", IDCANCEL}, Case{MB_OKCANCEL, "\033", IDCANCEL}, Case{MB_OK, "\033", IDOK},
                          Case{MB_YESNO, "qY", IDYES}, Case{MB_ABORTRETRYIGNORE, "i", IDIGNORE}, Case{MB_RETRYCANCEL, "\r", IDRETRY},
                          Case{MB_CANCELTRYCONTINUE, "t", IDTRYAGAIN}, Case{MB_YESNOCANCEL | MB_DEFBUTTON3, "\r", IDCANCEL}}) {
        ChildAtTerminal child([&] { return MessageBoxA(nullptr, "text", "caption", c.type); });
        EXPECT_TRUE(child.becomes_raw());
        child.press(c.keys);
        EXPECT_EQ(exit_status(child.end()), c.answer);
    }
}

// A child whose standard input is a pipe with these bytes.
std::string output_with_input(std::string_view input, const std::function<int()>& run) {
    std::array<int, 2> in{};
    std::array<int, 2> out{};
    EXPECT_EQ(pipe(in.data()) | pipe(out.data()), 0);
    // Before the child is there: one that reads nothing may have ended, and writing to it would be SIGPIPE.
    EXPECT_EQ(write(in[1], input.data(), input.size()), static_cast<ssize_t>(input.size()));
    const pid_t pid = fork();
    if (pid == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        close(in[1]);
        alarm(60);
        const int result = run();
        std::printf("=%d", result);
        std::fflush(stdout);
        _exit(0);
    }
    close(in[0]);
    close(out[1]);
    close(in[1]);
    std::string text;
    std::array<char, 256> bytes;
    for (ssize_t count; (count = read(out[0], bytes.data(), bytes.size())) > 0;) text.append(bytes.data(), static_cast<std::size_t>(count));
    close(out[0]);
    waitpid(pid, nullptr, 0);
    return text;
}

TEST(Win32Console, WritesAfterWhatWasPrinted) {
    ChildAtTerminal child([] {
        const HANDLE console = CreateFileA("CONOUT$", GENERIC_WRITE, FILE_SHARE_WRITE, nullptr, OPEN_EXISTING, 0, nullptr);
        DWORD narrow_count = 0;
        DWORD wide_count = 0;
        std::fputs("1", stdout);
        const BOOL is_written = WriteConsoleA(GetStdHandle(STD_OUTPUT_HANDLE), "2\u20ac", 4, &narrow_count, nullptr) &&
                                WriteConsoleW(console, u"3\u20ac\U0001d11e.", 4, &wide_count, nullptr);
        return is_written && narrow_count == 4 && wide_count == 4 ? 7 : 1;
    });
    EXPECT_EQ(exit_status(child.end()), 7);
    EXPECT_EQ(child.screen(), "12\u20ac3\u20ac\U0001d11e");
}

TEST(Win32Console, IsNoPipe) {
    EXPECT_EQ(output_with_input("", [] { return WriteConsoleA(GetStdHandle(STD_INPUT_HANDLE), "x", 1, nullptr, nullptr) ? 0 : static_cast<int>(GetLastError()); }),
              "=" + std::to_string(ERROR_ACCESS_DENIED));
    const HANDLE file = CreateFileA("/dev/null", GENERIC_WRITE, FILE_SHARE_WRITE, nullptr, OPEN_EXISTING, 0, nullptr);
    EXPECT_FALSE(WriteConsoleW(file, u"x", 1, nullptr, nullptr));
    EXPECT_EQ(GetLastError(), DWORD{ERROR_INVALID_HANDLE});
    CloseHandle(file);
}

TEST(Win32Console, WithoutATerminalBytesAreKeys) {
    EXPECT_EQ(output_with_input("ab", [] { return _getch() == 'a' && _kbhit() ? _getch() : 0; }), "=98");
    EXPECT_EQ(output_with_input("", [] { return _getch(); }), "=-1");
    EXPECT_EQ(output_with_input("a", [] { return _getche() == 'a' ? _getche() : 0; }), "a=-1");
}

TEST(Win32Console, WithoutATerminalMessagesAreOnlyPrinted) {
    EXPECT_EQ(output_with_input("x", [] { return MessageBoxA(nullptr, "text", "caption", MB_OK); }), "caption: text\n=1");
    EXPECT_EQ(output_with_input("", [] { return MessageBoxW(nullptr, u"\u20ac", nullptr, MB_YESNO | MB_DEFBUTTON2); }),
              "Error: \u20ac\n=7");
    EXPECT_EQ(output_with_input("", [] { return MessageBoxA(nullptr, "text", "caption", 0xF); }), "=0");
}

}  // namespace
