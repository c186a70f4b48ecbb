# The console and the elements inside of the binary: web/ is built by Node, compressed once at the best level, and
# taken in by the assembler (.incbin), which costs no compile time.
#
# FRESHET_WEB=AUTO builds them where there is a Node >= 20.19 (./dev brings one), and else makes a binary whose /console/
# says what is missing. ON insists, OFF leaves them out.
set(FRESHET_WEB AUTO CACHE STRING "The console inside of the binary: AUTO, ON or OFF")
set_property(CACHE FRESHET_WEB PROPERTY STRINGS AUTO ON OFF)

set(web ${CMAKE_SOURCE_DIR}/web)
set(web_wanted OFF)
if(FRESHET_WEB AND EXISTS ${web}/package.json)
  # The one on PATH now: ./dev puts a new enough one first.
  find_program(web_node node NO_CACHE)
  find_program(web_npm npm NO_CACHE)
  if(web_node AND web_npm)
    execute_process(COMMAND ${web_node} -e "const [a, b] = process.versions.node.split('.').map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)"
      RESULT_VARIABLE web_node_is_old)
    if(web_node_is_old EQUAL 0)
      set(web_wanted ON)
    endif()
  endif()
  if(NOT web_wanted)
    set(words "No Node >= 20.19 and npm on PATH: the binary will have no console.   try: ./dev build, which brings one")
    if(FRESHET_WEB STREQUAL "AUTO")
      message(WARNING "${words}")
    else()
      message(FATAL_ERROR "${words}")
    endif()
  endif()
endif()

set(web_made ${CMAKE_BINARY_DIR}/web)
set(web_table ${CMAKE_SOURCE_DIR}/cmake/no_web.cpp)
set(web_assembly "")
if(web_wanted)
  enable_language(ASM)
  file(GLOB_RECURSE web_sources CONFIGURE_DEPENDS ${web}/*.ts ${web}/*.mjs ${web}/*.css ${web}/*.html ${web}/*.json ${web}/*.svg)
  list(FILTER web_sources EXCLUDE REGEX "/(node_modules|dist)/|/[^/]*\\.gen\\.ts$|/test/|/web/package-lock\\.json$|tsbuildinfo")
  set(web_packages ${web_made}/packages.stamp)
  add_custom_command(OUTPUT ${web_packages}
    COMMAND ${web_npm} ci --prefer-offline --ignore-scripts --no-audit --no-fund --silent
    COMMAND ${CMAKE_COMMAND} -E make_directory ${web_made}
    COMMAND ${CMAKE_COMMAND} -E touch ${web_packages}
    DEPENDS ${web}/package-lock.json
    WORKING_DIRECTORY ${web} COMMENT "Installing the web packages" VERBATIM)
  set(web_table ${web_made}/web_files.cpp)
  set(web_assembly ${web_made}/web_files.S)
  add_custom_command(OUTPUT ${web_table} ${web_assembly}
    COMMAND ${CMAKE_COMMAND} -E env FRESHET_WEB_OUT=${web_made}/dist ${web_npm} run --silent build
    COMMAND ${web_node} ${CMAKE_SOURCE_DIR}/cmake/pack_web.mjs ${web_made}/dist ${web_made}
    DEPENDS ${web_packages} ${web_sources} ${CMAKE_SOURCE_DIR}/api/openapi.yaml ${CMAKE_SOURCE_DIR}/cmake/pack_web.mjs
    WORKING_DIRECTORY ${web} COMMENT "Building the console and the elements" VERBATIM)
endif()

add_library(freshet_web STATIC ${web_table} ${web_assembly})
target_link_libraries(freshet_web PRIVATE freshet_flags)
target_include_directories(freshet_web PRIVATE ${CMAKE_SOURCE_DIR}/src)
