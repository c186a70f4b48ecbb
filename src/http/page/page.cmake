# What freshet_http serves out of itself: style and script of its own pages, and api/openapi.yaml as JSON.
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
add_executable(freshet_yaml_to_json ${CMAKE_SOURCE_DIR}/api/yaml_to_json.cpp)
target_link_libraries(freshet_yaml_to_json PRIVATE freshet_flags PkgConfig::YAML)

set(generated ${CMAKE_BINARY_DIR}/generated)
file(MAKE_DIRECTORY ${generated})
add_custom_command(OUTPUT ${generated}/openapi.json
  COMMAND freshet_yaml_to_json ${CMAKE_SOURCE_DIR}/api/openapi.yaml ${generated}/openapi.json
  DEPENDS freshet_yaml_to_json ${CMAKE_SOURCE_DIR}/api/openapi.yaml VERBATIM)
add_custom_command(OUTPUT ${generated}/embedded.cpp
  COMMAND ${CMAKE_COMMAND} -DOUT=${generated}/embedded.cpp -DSTYLE=${CMAKE_SOURCE_DIR}/src/http/page/help.css
    -DSCRIPT=${CMAKE_SOURCE_DIR}/src/http/page/sign_in.js -DOPENAPI=${generated}/openapi.json
    -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
  DEPENDS ${generated}/openapi.json ${CMAKE_SOURCE_DIR}/cmake/embed.cmake ${CMAKE_SOURCE_DIR}/src/http/page/help.css
    ${CMAKE_SOURCE_DIR}/src/http/page/sign_in.js VERBATIM)
target_sources(freshet_http PRIVATE ${generated}/embedded.cpp)
