# SPDX-License-Identifier: Apache-2.0
# Peers that the benchmark can do without: ZeroMQ if it is installed; iceoryx2 and Aeron if `./run bench --peers` built them.
# Boost's headers, and the others', are none of ours to warn about.
set_source_files_properties(ring_peers.cpp PROPERTIES COMPILE_OPTIONS -w)
set(COMAP_BENCH_PEERS ${PROJECT_SOURCE_DIR}/build/peers)

find_library(COMAP_ZEROMQ zmq)
find_path(COMAP_ZEROMQ_INCLUDE zmq.h)
if(COMAP_ZEROMQ AND COMAP_ZEROMQ_INCLUDE)
    target_compile_definitions(comap_bench PRIVATE COMAP_BENCH_ZEROMQ)
    target_include_directories(comap_bench PRIVATE ${COMAP_ZEROMQ_INCLUDE})
    target_link_libraries(comap_bench PRIVATE ${COMAP_ZEROMQ})
endif()

if(EXISTS ${COMAP_BENCH_PEERS}/lib/libcomap_bench_peers.a)
    target_compile_definitions(comap_bench PRIVATE COMAP_BENCH_ICEORYX2)
    target_link_libraries(comap_bench PRIVATE ${COMAP_BENCH_PEERS}/lib/libcomap_bench_peers.a)
endif()

if(EXISTS ${COMAP_BENCH_PEERS}/lib/libaeron_driver_static.a)
    target_compile_definitions(comap_bench PRIVATE COMAP_BENCH_AERON)
    target_include_directories(comap_bench SYSTEM PRIVATE
        ${COMAP_BENCH_PEERS}/aeron/sources/aeron-client/src/main/c ${COMAP_BENCH_PEERS}/aeron/sources/aeron-driver/src/main/c)
    target_link_libraries(comap_bench PRIVATE ${COMAP_BENCH_PEERS}/lib/libaeron_driver_static.a)
    # What Aeron uses where it was found when Aeron was built.
    foreach(needed uuid bsd)
        find_library(COMAP_AERON_${needed} ${needed})
        if(COMAP_AERON_${needed})
            target_link_libraries(comap_bench PRIVATE ${COMAP_AERON_${needed}})
        endif()
    endforeach()
endif()
target_link_libraries(comap_bench PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
