# SPDX-License-Identifier: Apache-2.0
# A 32-bit program and 64-bit ones at the same objects. Needs a compiler that makes 32-bit programs (Debian: g++-multilib); where
# there is none, the test is there and says that it was skipped.
include(CheckCXXSourceCompiles)
set(CMAKE_REQUIRED_FLAGS -m32)
set(CMAKE_REQUIRED_LINK_OPTIONS -m32)
check_cxx_source_compiles("#include <atomic>
#include <string>
static_assert(sizeof(void*) == 4);
int main() { return std::string().size() != 0; }" COMAP_CAN_BUILD_32_BITS)
unset(CMAKE_REQUIRED_FLAGS)
unset(CMAKE_REQUIRED_LINK_OPTIONS)

if(COMAP_CAN_BUILD_32_BITS)
    get_target_property(sources_32 comap_objects SOURCES)
    list(TRANSFORM sources_32 PREPEND ${PROJECT_SOURCE_DIR}/src/)
    add_executable(peer32 ${CMAKE_CURRENT_LIST_DIR}/peer32.cpp ${sources_32})
    target_compile_options(peer32 PRIVATE -m32)
    target_link_options(peer32 PRIVATE -m32)
    target_include_directories(peer32 PRIVATE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src ${COMAP_XXHASH_INCLUDE})
    target_link_libraries(peer32 PRIVATE tl::expected utf8cpp Threads::Threads comap_warnings)
    comap_precompile(peer32)
    target_compile_definitions(peer32 PRIVATE COMAP_VERSION_STRING="${PROJECT_VERSION}")
    comap_test(bits32_tests ${CMAKE_CURRENT_LIST_DIR}/bits32_test.cpp)
    target_compile_definitions(bits32_tests PRIVATE PEER32="$<TARGET_FILE:peer32>")
    add_dependencies(bits32_tests peer32)
else()
    add_test(NAME bits32.skipped
        COMMAND sh -c "echo 'skipped: this compiler makes no 32-bit programs (install g++-multilib)'; exit 77")
    set_tests_properties(bits32.skipped PROPERTIES SKIP_RETURN_CODE 77)
endif()
