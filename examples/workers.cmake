# Builds the workers of the examples as their users would: the SDK is installed, and each example's CMake project finds
# the package there. Nothing of the server's tree is seen.
#   cmake -DBUILD=<build/release> -DTO=<build/examples> [-DNAMES=a;b] -P examples/workers.cmake
# BUILD is a configured tree of freshet in which freshet_sdk is built; its compiler and launcher are taken.
load_cache(${BUILD} READ_WITH_PREFIX FROM_ CMAKE_CXX_COMPILER CMAKE_CXX_COMPILER_LAUNCHER CMAKE_EXE_LINKER_FLAGS)
if(NOT NAMES)
  file(GLOB projects ${CMAKE_CURRENT_LIST_DIR}/*/worker/CMakeLists.txt)
  foreach(project ${projects})
    cmake_path(GET project PARENT_PATH folder)
    cmake_path(GET folder PARENT_PATH folder)
    cmake_path(GET folder FILENAME name)
    list(APPEND NAMES ${name})
  endforeach()
endif()
find_program(ccache ccache)
set(options -DCMAKE_CXX_COMPILER=${FROM_CMAKE_CXX_COMPILER} -DCMAKE_BUILD_TYPE=RelWithDebInfo
  -DCMAKE_PREFIX_PATH=${TO}/sdk)
if(ccache)
  list(APPEND options -DCMAKE_CXX_COMPILER_LAUNCHER=${ccache})
endif()
execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD} --component sdk --prefix ${TO}/sdk
  COMMAND_ERROR_IS_FATAL ANY OUTPUT_QUIET)
foreach(name ${NAMES})
  set(source ${CMAKE_CURRENT_LIST_DIR}/${name}/worker)
  if(EXISTS ${source}/CMakeLists.txt)
    if(NOT EXISTS ${TO}/${name}/build.ninja)
      execute_process(COMMAND ${CMAKE_COMMAND} -S ${source} -B ${TO}/${name} -G Ninja ${options}
        COMMAND_ERROR_IS_FATAL ANY OUTPUT_QUIET)
    endif()
    execute_process(COMMAND ${CMAKE_COMMAND} --build ${TO}/${name} -j2 COMMAND_ERROR_IS_FATAL ANY OUTPUT_VARIABLE said
      ECHO_OUTPUT_VARIABLE)
  endif()
endforeach()
