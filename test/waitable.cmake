# SPDX-License-Identifier: Apache-2.0
# Everything that waits, once more where the kernel cannot sleep on several words at once (before Linux 5.16, or in a sandbox that
# refuses the call).
add_executable(refuse_call ${CMAKE_CURRENT_LIST_DIR}/support/refuse_call.cpp)
target_link_libraries(refuse_call PRIVATE comap_warnings)
add_test(NAME waitable.without_futex_waitv
    COMMAND refuse_call $<TARGET_FILE:unit_tests> --gtest_filter=*Wait*:*Mutex*:*Event*:*Semaphore*:*Guarded*)
set_tests_properties(waitable.without_futex_waitv PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77)

include(${CMAKE_CURRENT_LIST_DIR}/bits32/bits32.cmake)
