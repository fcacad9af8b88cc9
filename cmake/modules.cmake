# chainring_library(<folder> LINK <libraries> SOURCES <files>): the one library of a folder, chainring_<folder>.
# Its headers are included as "<folder>/<file>.h". Link only folders below it (docs/architecture.md).
function(chainring_library folder)
  cmake_parse_arguments(arg "" "" "LINK;PRIVATE;SOURCES" ${ARGN})
  add_library(chainring_${folder} STATIC ${arg_SOURCES})
  target_include_directories(chainring_${folder} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(chainring_${folder} PUBLIC ${arg_LINK} PRIVATE ${arg_PRIVATE})
endfunction()

# chainring_test(<name> LINK <libraries> SOURCES <files>): a Catch2 program <name>; each of its cases is a ctest test.
function(chainring_test name)
  cmake_parse_arguments(arg "" "" "LINK;SOURCES" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LINK} Catch2::Catch2WithMain)
  # A name that matches no case (CMake splits names at ';') must not pass for a test.
  catch_discover_tests(${name} TEST_PREFIX "${name}: " EXTRA_ARGS --warn NoTests PROPERTIES TIMEOUT 600)
endfunction()
