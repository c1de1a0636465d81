// SPDX-License-Identifier: Apache-2.0
// A process is known by a descriptor (pidfd), so that its number may be used again. The watching thread asks for the end of each
// child by that descriptor, never for that of any child: those that the program made otherwise are its own.
#include "win32/processes.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include "win32/access.hpp"
#include "win32/command_line.hpp"
#include "win32/errors.hpp"
#include "win32/files.hpp"
#include "win32/inheritance.hpp"
#include "win32/security.hpp"
#include "win32/text.hpp"

namespace comap::win32 {
namespace {

int open_process(DWORD id) { return static_cast<int>(::syscall(SYS_pidfd_open, id, 0)); }

// --- CreateProcess

// All strings in UTF-8.
struct Creation {
    std::optional<std::string> application;
    std::optional<std::string> command_line;
    std::optional<std::vector<std::string>> environment;  // none: as this process has it
    std::optional<std::string> directory;
    bool inherits_handles = false;
    DWORD flags = 0;
    std::optional<std::array<HANDLE, 3>> streams;  // input, output, errors
};

// Numbers above those of the standard streams, so that they can be moved there in any order.
class Streams {
  public:
    ~Streams() {
        for (const int descriptor : descriptors_) ::close(descriptor);
    }

    // A stream that was not given, or is no file: what is written is lost, and nothing is there to be read.
    bool add(HANDLE handle) {
        const Found found = find_handle(handle);
        int descriptor = -1;
        if (found && found.object->kind() == Kind::file)
            descriptor = ::fcntl(static_cast<FileObject&>(*found.object).descriptor(), F_DUPFD_CLOEXEC, kFirstFree);
        else if (const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC); nothing >= 0) {
            descriptor = ::fcntl(nothing, F_DUPFD_CLOEXEC, kFirstFree);
            ::close(nothing);
        }
        if (descriptor >= 0) descriptors_.push_back(descriptor);
        return descriptor >= 0;
    }

    const std::vector<int>& descriptors() const { return descriptors_; }

  private:
    std::vector<int> descriptors_;
};

// What the child does before it becomes the program.
class Actions {
  public:
    Actions() { is_whole_ = ::posix_spawn_file_actions_init(&actions_) == 0; }
    ~Actions() { ::posix_spawn_file_actions_destroy(&actions_); }
    Actions(const Actions&) = delete;
    Actions& operator=(const Actions&) = delete;

    void open_as(int descriptor, int number) { is_whole_ = is_whole_ && ::posix_spawn_file_actions_adddup2(&actions_, descriptor, number) == 0; }
    void keep_open(int descriptor) { open_as(descriptor, descriptor); }  // clears close-on-exec
    void go_to(const std::string& directory) { is_whole_ = is_whole_ && ::posix_spawn_file_actions_addchdir_np(&actions_, directory.c_str()) == 0; }

    bool is_whole() const { return is_whole_; }
    const posix_spawn_file_actions_t* get() const { return &actions_; }

  private:
    posix_spawn_file_actions_t actions_;
    bool is_whole_ = false;
};

std::vector<char*> pointers_to(std::vector<std::string>& strings) {
    std::vector<char*> pointers;
    for (std::string& one : strings) pointers.push_back(one.data());
    pointers.push_back(nullptr);
    return pointers;
}

std::vector<std::string> own_environment() {
    std::vector<std::string> all;
    for (char** entry = ::environ; entry && *entry; ++entry) all.emplace_back(*entry);
    return all;
}

// Windows completes the name of a program before it looks at the child's directory.
std::string completed(const std::string& path) {
    std::error_code error;
    const std::filesystem::path whole = std::filesystem::absolute(path, error);
    return error ? path : whole.string();
}

bool is_directory(const std::string& path) {
    struct stat found;
    return ::stat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode);
}

struct Child {
    pid_t id = -1;
    int record = -1;  // its birth record
};

// An errno, or 0.
int open_streams(const std::array<HANDLE, 3>& given, Streams& streams, Actions& actions) {
    for (const HANDLE stream : given)
        if (!streams.add(stream)) return errno;
    for (std::size_t number = 0; number < given.size(); ++number) actions.open_as(streams.descriptors()[number], static_cast<int>(number));
    return 0;
}

// An errno, or 0.
int spawn(const std::string& program, const Creation& wanted, Child& child) {
    int error = 0;
    std::optional<Birth> birth = Birth::make(wanted.inherits_handles, error);
    if (!birth) return error;
    Streams streams;
    Actions actions;
    if (!actions.is_whole()) return ENOMEM;
    if (wanted.streams) error = open_streams(*wanted.streams, streams, actions);
    if (error != 0) return error;
    for (const int descriptor : birth->descriptors()) actions.keep_open(descriptor);
    if (wanted.directory) actions.go_to(*wanted.directory);
    if (!actions.is_whole()) return ENOMEM;
    auto arguments = wanted.command_line ? split_command_line(*wanted.command_line) : std::vector{*wanted.application};
    auto environment = wanted.environment ? *wanted.environment : own_environment();
    environment.insert(environment.begin(), birth->variable());
    const std::string path = wanted.directory ? completed(program) : program;
    error = ::posix_spawn(&child.id, path.c_str(), actions.get(), nullptr, pointers_to(arguments).data(), pointers_to(environment).data());
    if (error == 0) child.record = birth->release_record();
    return error;
}

std::optional<std::string> program_of(const Creation& wanted) {
    if (!wanted.application) return find_program(*wanted.command_line);
    return native_path(wanted.application->c_str());
}

BOOL create_process(Creation& wanted, const SECURITY_ATTRIBUTES* of_process, const SECURITY_ATTRIBUTES* of_thread, PROCESS_INFORMATION* out) {
    constexpr DWORD kDebugThisProcess = 2;
    constexpr DWORD kUnsupported = CREATE_SUSPENDED | DEBUG_PROCESS | kDebugThisProcess | EXTENDED_STARTUPINFO_PRESENT;
    const bool has_name = wanted.application || (wanted.command_line && !wanted.command_line->empty());
    if (!has_name || !out) return fail(ERROR_INVALID_PARAMETER);
    if (wanted.flags & kUnsupported) return fail(ERROR_NOT_SUPPORTED);
    if (!mode_of(of_process) || !mode_of(of_thread)) return FALSE;
    const std::optional<std::string> program = program_of(wanted);
    if (!program) return FALSE;
    if (wanted.directory) wanted.directory = native_path(wanted.directory->c_str());
    if (wanted.directory && !is_directory(*wanted.directory)) return fail(ERROR_DIRECTORY);
    (void)current_thread_object();  // this process may end with the calling thread
    if (!start_watching()) return fail(ERROR_NOT_ENOUGH_MEMORY);
    Child child;
    if (const int error = spawn(*program, wanted, child)) return fail(path_code(error, *program));
    // None: a program that ignores SIGCHLD or waits for any child had it reaped already.
    const auto process = std::make_shared<ProcessObject>(static_cast<DWORD>(child.id), open_process(static_cast<DWORD>(child.id)), child.record);
    watch(process);
    out->hProcess = insert_handle(process, {PROCESS_ALL_ACCESS, is_inherited(of_process)});
    out->hThread = insert_handle(process->first_thread(), {THREAD_ALL_ACCESS, is_inherited(of_thread)});
    out->dwProcessId = out->dwThreadId = process->id();
    return TRUE;
}

template <typename T>
std::optional<std::string> text_of(const T* text, bool& is_valid) {
    if (!text) return std::nullopt;
    if constexpr (sizeof(T) == 1) {
        return text;
    } else {
        auto converted = utf8(text);
        if (!converted) is_valid = false;
        return converted;
    }
}

// Strings one after the other, and an empty one at the end. The directories of drives ("=C:=...") are left out.
template <typename T>
std::optional<std::vector<std::string>> environment_of(const T* block, bool& is_valid) {
    if (!block) return std::nullopt;
    std::vector<std::string> all;
    while (*block) {
        std::string one = text_of(block, is_valid).value_or("");
        if (!one.starts_with('=') && !one.empty()) all.push_back(std::move(one));
        while (*block++) {
        }
    }
    return all;
}

template <typename T, typename Startup>
BOOL create_process(const T* application, const T* command_line, const SECURITY_ATTRIBUTES* of_process,
                    const SECURITY_ATTRIBUTES* of_thread, bool inherits_handles, DWORD flags, const void* environment,
                    const T* directory, const Startup* startup, PROCESS_INFORMATION* out) {
    bool is_valid = true;
    Creation wanted;
    wanted.application = text_of(application, is_valid);
    wanted.command_line = text_of(command_line, is_valid);
    wanted.directory = text_of(directory, is_valid);
    wanted.environment = flags & CREATE_UNICODE_ENVIRONMENT ? environment_of(static_cast<const WCHAR*>(environment), is_valid)
                                                            : environment_of(static_cast<const char*>(environment), is_valid);
    wanted.inherits_handles = inherits_handles;
    wanted.flags = flags;
    if (!startup || !is_valid) return fail(ERROR_INVALID_PARAMETER);
    if (startup->dwFlags & STARTF_USESTDHANDLES) wanted.streams = {startup->hStdInput, startup->hStdOutput, startup->hStdError};
    return create_process(wanted, of_process, of_thread, out);
}

std::shared_ptr<EndingObject> process_with_rights(HANDLE handle) {
    return find_ending(handle, Kind::process, PROCESS_QUERY_INFORMATION | PROCESS_QUERY_LIMITED_INFORMATION);
}

std::shared_ptr<ProcessObject> watched_process(DWORD id, int descriptor) {
    auto made = std::make_shared<ProcessObject>(id, descriptor, -1);
    if (made->exit_code() != STILL_ACTIVE) return made;
    (void)current_thread_object();  // this process may end with the calling thread
    watch(made);
    return made;
}

}  // namespace

ProcessObject::ProcessObject(DWORD id, int process_descriptor, int birth_record)
    : EndingObject(kKind, id), descriptor_(process_descriptor), birth_record_(birth_record), first_thread_(std::make_shared<ThreadObject>(id, id)) {}

ProcessObject::~ProcessObject() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (birth_record_ >= 0) ::close(birth_record_);
}

int ProcessObject::share_descriptor() const {
    if (descriptor_ >= 0) return ::fcntl(descriptor_, F_DUPFD_CLOEXEC, kFirstFree);
    return id() == GetCurrentProcessId() ? open_process(id()) : -1;  // the number of one that has ended may be another's
}

bool ProcessObject::terminate(DWORD exit_code) {
    terminate_code_.store(exit_code, std::memory_order_relaxed);
    is_terminated_.store(true, std::memory_order_relaxed);
    return ::syscall(SYS_pidfd_send_signal, descriptor_, SIGKILL, nullptr, 0) == 0;
}

std::optional<DWORD> ProcessObject::look() {
    if (id() == GetCurrentProcessId()) return std::nullopt;
    struct pollfd end = {descriptor_, POLLIN, 0};
    if (descriptor_ >= 0 && ::poll(&end, 1, 0) != 1) return std::nullopt;
    siginfo_t how = {};
    const int options = WEXITED | WNOHANG | (birth_record_ < 0 ? WNOWAIT : 0);  // a child that the program made otherwise stays for it to reap
    const bool is_known = descriptor_ >= 0 && ::waitid(P_PIDFD, static_cast<id_t>(descriptor_), &how, options) == 0 && how.si_pid != 0;
    const DWORD code = is_known ? code_of(how) : unknown_code();
    first_thread_->end_with_process(code);
    return code;
}

// Who was killed by a signal has 128 and its number, as in a shell.
DWORD ProcessObject::code_of(const siginfo_t& end) const {
    if (end.si_code != CLD_EXITED) {
        const bool is_ours = end.si_status == SIGKILL && is_terminated_.load(std::memory_order_relaxed);
        return is_ours ? terminate_code_.load(std::memory_order_relaxed) : 128 + static_cast<DWORD>(end.si_status);
    }
    const auto low_bits = static_cast<DWORD>(end.si_status);
    const std::optional<DWORD> whole = exit_code_left(birth_record_, id());
    return whole && (*whole & 0xff) == low_bits ? *whole : low_bits;  // what other programs left when they ended
}

// Of one that is not our child, or that somebody else has waited for: only itself can have told; otherwise 0.
DWORD ProcessObject::unknown_code() const {
    if (is_terminated_.load(std::memory_order_relaxed)) return terminate_code_.load(std::memory_order_relaxed);
    return exit_code_left(birth_record_, id()).value_or(0);
}

// Made once, and anew in the child of a fork; never destroyed.
std::shared_ptr<KernelObject> current_process_object() {
    using Current = std::shared_ptr<ProcessObject>;
    static std::atomic<Current*> current;
    Current* known = current.load(std::memory_order_acquire);  // SYNC process.find: pairs with process.made
    if (known && (*known)->id() == GetCurrentProcessId()) return *known;
    auto made = std::make_unique<Current>(std::make_shared<ProcessObject>(GetCurrentProcessId(), -1, -1));
    // SYNC process.made: complete before others find it; pairs with process.find.
    const bool is_first = current.compare_exchange_strong(known, made.get(), std::memory_order_acq_rel, std::memory_order_acquire);
    return is_first ? *made.release() : *known;
}

std::shared_ptr<KernelObject> process_from_descriptor(int descriptor) {
    const std::string path = "/proc/thread-self/fdinfo/" + std::to_string(descriptor);
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"), std::fclose);
    std::array<char, 256> line{};
    int id = 0;
    while (file && std::fgets(line.data(), line.size(), file.get()))
        if (std::sscanf(line.data(), "Pid: %d", &id) == 1) break;
    constexpr int kEnded = -1;  // and was waited for: nobody can tell its number any more
    if (id <= 0 && id != kEnded) return nullptr;
    const int own = ::fcntl(descriptor, F_DUPFD_CLOEXEC, kFirstFree);
    return own < 0 ? nullptr : watched_process(id == kEnded ? 0 : static_cast<DWORD>(id), own);
}

}  // namespace comap::win32

using namespace comap::win32;

extern "C" {

BOOL CreateProcessA(LPCSTR application, LPSTR command_line, LPSECURITY_ATTRIBUTES of_process, LPSECURITY_ATTRIBUTES of_thread,
                    BOOL inherits, DWORD flags, LPVOID environment, LPCSTR directory, LPSTARTUPINFOA startup, LPPROCESS_INFORMATION out) {
    return create_process<char>(application, command_line, of_process, of_thread, inherits != 0, flags, environment, directory, startup, out);
}

BOOL CreateProcessW(LPCWSTR application, LPWSTR command_line, LPSECURITY_ATTRIBUTES of_process, LPSECURITY_ATTRIBUTES of_thread,
                    BOOL inherits, DWORD flags, LPVOID environment, LPCWSTR directory, LPSTARTUPINFOW startup, LPPROCESS_INFORMATION out) {
    return create_process<WCHAR>(application, command_line, of_process, of_thread, inherits != 0, flags, environment, directory, startup, out);
}

// As exit() does it, so that what was printed is written. All 32 bits of the code reach a parent that used CreateProcess.
void ExitProcess(UINT code) {
    static auto* const first = new std::recursive_mutex;  // a second thread that comes here waits for the end
    first->lock();
    std::exit(static_cast<int>(code));
}

BOOL GetExitCodeProcess(HANDLE handle, LPDWORD code) {
    const auto process = process_with_rights(handle);
    if (!process) return FALSE;
    if (!code) return fail(ERROR_NOACCESS);
    *code = process->exit_code();
    return TRUE;
}

BOOL TerminateProcess(HANDLE handle, UINT code) {
    const auto process = find_ending(handle, Kind::process, PROCESS_TERMINATE);
    if (!process) return FALSE;
    if (process->id() == GetCurrentProcessId()) {
        leave_exit_code(code);
        ::_exit(static_cast<int>(code));
    }
    if (process->exit_code() != STILL_ACTIVE) return fail(ERROR_ACCESS_DENIED);
    return static_cast<ProcessObject&>(*process).terminate(code) ? TRUE : fail(ERROR_ACCESS_DENIED);
}

HANDLE OpenProcess(DWORD access, BOOL is_inherited, DWORD id) {
    const HandleInfo info = {specific_access(Kind::process, access), is_inherited != 0};
    if (id == GetCurrentProcessId()) return insert_handle(current_process_object(), info);
    if ((info.access & PROCESS_TERMINATE) && id != 0 && ::kill(static_cast<pid_t>(id), 0) < 0 && errno == EPERM) return fail_null(ERROR_ACCESS_DENIED);
    std::shared_ptr<KernelObject> process = find_watched(Kind::process, id);
    if (process) return insert_handle(std::move(process), info);
    const int descriptor = open_process(id);
    if (descriptor < 0) return fail_null(errno == ENOENT ? DWORD{ERROR_INVALID_PARAMETER} : win32_code_of_errno(errno));  // ENOENT: a thread's number
    return insert_handle(watched_process(id, descriptor), info);
}

HANDLE GetCurrentProcess(void) { return reinterpret_cast<HANDLE>(LONG_PTR{-1}); }
DWORD GetCurrentProcessId(void) { return static_cast<DWORD>(::getpid()); }

DWORD GetProcessId(HANDLE handle) {
    const auto process = process_with_rights(handle);
    return process ? process->id() : 0;
}
}
