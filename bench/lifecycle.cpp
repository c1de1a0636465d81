// SPDX-License-Identifier: Apache-2.0
// What it costs to open, to create and to leave.
#include "boost_peers.hpp"
#include "harness.hpp"
#include "raw.hpp"

namespace comap::bench {
namespace {

constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kLargeBytes = std::size_t{64} << 20;
constexpr std::size_t kManagedBytes = 64 * 1024;

constexpr char kOpenRow[] = "open, touch a page, leave";
constexpr char kCreateRow[] = "create, touch a page, leave";
constexpr char kLargeRow[] = "create and leave 64 MiB";

Measure cycles(const Bench& bench, std::uint64_t count, std::function<void()> cycle) {
    return [count = bench.scaled(count), cycle = std::move(cycle)] { return ns_per_turn(count, cycle) / 1000; };
}

void touch_view(const Section& section) {
    const View view = must(section.view());
    raw::touch(view.data());
}

void raw_open_touch_leave(const std::string& name) {
    const int fd = must_fd(::shm_open(name.c_str(), O_RDWR, 0), "shm_open");
    raw::map_touch_unmap(fd, kPageBytes);
    ::close(fd);
}

void raw_create_touch_remove(const std::string& name) {
    const int fd = must_fd(::shm_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600), "shm_open");
    must_fd(::ftruncate(fd, kPageBytes), "ftruncate");
    raw::map_touch_unmap(fd, kPageBytes);
    ::close(fd);
    ::shm_unlink(name.c_str());
}

void measure_open(Bench& bench) {
    constexpr std::uint64_t kCycles = 2000;
    const Section held = must(Section::create("opened", kPageBytes, {}, bench.context()));
    const raw::Shm memory("/" + bench.unique_name("opened"), kPageBytes);
    raw::map_touch_unmap(memory.fd(), kPageBytes);
    touch_view(held);
    const std::string object = bench.unique_name("boost-object"), managed = bench.unique_name("boost-managed");
    boost_peers::make_object(object, kPageBytes);
    boost_peers::open_touch_leave_object(object);
    boost_peers::make_managed(managed, kManagedBytes);
    const int directory = must_fd(::open(bench.context().directory(Scope::local).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open");
    bench.run({kOpenRow, "us", 1.6, "limit: shm_open, mmap, write a byte, munmap, close; the page is there already",
               cycles(bench, kCycles, [&] { touch_view(must(Section::open("opened", {}, bench.context()))); }),
               cycles(bench, kCycles, [&] { raw_open_touch_leave(memory.name()); }),
               {{"the protocol's bare calls", cycles(bench, kCycles, [&] { raw::protocol_open_touch_leave(directory, "opened", kPageBytes); })},
                {"Boost shared_memory_object", cycles(bench, kCycles, [&] { boost_peers::open_touch_leave_object(object); })},
                {"Boost managed_shared_memory", cycles(bench, kCycles, [&] { boost_peers::open_touch_leave_managed(managed); })}}});
    ::close(directory);
    boost_peers::remove(object);
    boost_peers::remove(managed);
}

void measure_create(Bench& bench) {
    constexpr std::uint64_t kCycles = 1000;
    const std::string name = "/" + bench.unique_name("created");
    const std::string object = bench.unique_name("boost-object"), managed = bench.unique_name("boost-managed");
    bench.run({kCreateRow, "us", 1.75, "limit: shm_open, ftruncate, mmap, write a byte, munmap, close, shm_unlink",
               cycles(bench, kCycles, [&] { touch_view(must(Section::create("created", kPageBytes, {}, bench.context()))); }),
               cycles(bench, kCycles, [&] { raw_create_touch_remove(name); }),
               {{"Boost shared_memory_object", cycles(bench, kCycles, [&] { boost_peers::create_touch_remove_object(object, kPageBytes); })},
                {"Boost managed_shared_memory", cycles(bench, kCycles, [&] { boost_peers::create_touch_remove_managed(managed, kManagedBytes); })}}});
}

// Memory is committed at creation: so is the limit's.
void measure_large(Bench& bench) {
    constexpr std::uint64_t kCycles = 10;
    const std::string name = "/" + bench.unique_name("large");
    const auto raw_large = [&] {
        const int fd = must_fd(::shm_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600), "shm_open");
        must_fd(::fallocate(fd, 0, 0, kLargeBytes), "fallocate");
        ::close(fd);
        ::shm_unlink(name.c_str());
    };
    bench.run({kLargeRow, "us", std::nullopt, "limit: shm_open, fallocate, close, shm_unlink",
               cycles(bench, kCycles, [&] { must(Section::create("large", kLargeBytes, {}, bench.context())).close(); }),
               cycles(bench, kCycles, raw_large), {}});
}

}  // namespace

void measure_lifecycle(Bench& bench) {
    if (bench.wants(kOpenRow)) measure_open(bench);
    if (bench.wants(kCreateRow)) measure_create(bench);
    if (bench.wants(kLargeRow)) measure_large(bench);
}

}  // namespace comap::bench
