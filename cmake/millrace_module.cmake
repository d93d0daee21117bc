# mr_module(NAME sources... LINKS targets...): a folder's static library `mr_<name>`.
function(mr_module name)
  cmake_parse_arguments(MODULE "" "" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  add_library(mr_${name} STATIC ${MODULE_SOURCES})
  target_link_libraries(mr_${name}
    PUBLIC mr_build_options ${MODULE_LINKS} PRIVATE ${MODULE_PRIVATE_LINKS})
  mr_check_headers(${name})
endfunction()

# Every header of the folder compiles alone.
function(mr_check_headers name)
  file(GLOB_RECURSE headers RELATIVE ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/*.h)
  set(checks)
  foreach(header IN LISTS headers)
    string(MAKE_C_IDENTIFIER ${header} identifier)
    set(check ${CMAKE_BINARY_DIR}/header-check/${identifier}.c)
    if(NOT EXISTS ${check})
      file(WRITE ${check}
        "#include \"${header}\"\n#include \"${header}\"\ntypedef int mr_header_check;\n")
    endif()
    list(APPEND checks ${check})
  endforeach()
  if(checks)
    add_library(mr_${name}_headers OBJECT ${checks})
    target_link_libraries(mr_${name}_headers PRIVATE mr_${name})
  endif()
endfunction()

# mr_unit_test(FOLDER FILE LINKS targets...): tests/unit/<folder>/test_<file>.c as ctest
# `unit.<folder>.<file>`.
function(mr_unit_test folder file)
  cmake_parse_arguments(TEST "" "" "LINKS;SOURCES" ${ARGN})
  set(target test_${folder}_${file})
  add_executable(${target} ${CMAKE_SOURCE_DIR}/tests/unit/${folder}/test_${file}.c ${TEST_SOURCES})
  target_link_libraries(${target} PRIVATE mr_${folder} ${TEST_LINKS} PkgConfig::CMOCKA)
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME unit.${folder}.${file} COMMAND ${target})
  if(MR_SANITIZE)
    set(seconds 600)
  else()
    set(seconds 120)
  endif()
  set_tests_properties(unit.${folder}.${file} PROPERTIES TIMEOUT ${seconds} LABELS unit)
endfunction()
