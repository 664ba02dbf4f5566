# A room is a folder under src/: one namespace, one static library, one test program made of its
# *_test.cc files. Which room may include which is checked by tests/tidy.

find_package(Threads REQUIRED)

add_library(freehold_flags INTERFACE)
target_include_directories(freehold_flags INTERFACE ${PROJECT_SOURCE_DIR}/src
                                                    ${PROJECT_SOURCE_DIR}/include)
# The contract on numbers: no contraction behind our back, no relaxed floating point.
target_compile_options(freehold_flags INTERFACE -ffp-contract=off -fno-math-errno -Wall -Wextra
                                                -Wconversion -Wshadow -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # libstdc++ 12's own stable_sort uses what it deprecates, and Clang says so at every use.
  target_compile_options(freehold_flags INTERFACE -Wno-deprecated-declarations)
endif()
target_link_libraries(freehold_flags INTERFACE Threads::Threads)

set(freehold_fuzz_sanitizers -fsanitize=address,undefined -fno-sanitize-recover=all)

# freehold_room(NAME DEPS room... LIBS library...)
function(freehold_room name)
  cmake_parse_arguments(ROOM "" "" "DEPS;LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER sources EXCLUDE REGEX "_(test|fuzz)\\.cc$")
  if(sources)
    add_library(${name} STATIC ${sources})
    target_link_libraries(${name} PUBLIC freehold_flags ${ROOM_DEPS} ${ROOM_LIBS})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE freehold_flags ${ROOM_DEPS} ${ROOM_LIBS})
  endif()
  if(FREEHOLD_FUZZ AND sources)
    # The room once more, for the fuzz targets: with coverage and sanitizers.
    list(TRANSFORM ROOM_DEPS APPEND _instrumented OUTPUT_VARIABLE instrumented_deps)
    add_library(${name}_instrumented STATIC EXCLUDE_FROM_ALL ${sources})
    target_link_libraries(${name}_instrumented PUBLIC freehold_flags ${instrumented_deps}
                                                      ${ROOM_LIBS})
    target_compile_options(${name}_instrumented PRIVATE ${freehold_fuzz_sanitizers}
                                                        -fsanitize=fuzzer-no-link)
  endif()
  if(FREEHOLD_TESTS AND tests)
    freehold_test(${name}_test SOURCES ${tests} DEPS ${name})
  endif()
endfunction()

# freehold_test(NAME SOURCES file... DEPS library...): a GoogleTest program that finds its data in
# tests/data (FREEHOLD_TEST_DATA).
function(freehold_test name)
  cmake_parse_arguments(TEST "" "" "SOURCES;DEPS" ${ARGN})
  find_package(GTest REQUIRED)
  add_executable(${name} ${TEST_SOURCES})
  target_link_libraries(${name} PRIVATE ${TEST_DEPS} freehold_flags GTest::gtest_main GTest::gmock)
  target_compile_definitions(${name} PRIVATE FREEHOLD_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/data"
                                             FREEHOLD_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 900)
endfunction()
