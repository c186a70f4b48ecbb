# Builds the SDK alone, installs it, builds the consumer against what was installed, and runs that.
#   cmake -DSDK=<sdk/cpp> -DCONSUMER=<folder> -DFOLDER=<empty folder> -DCXX=<compiler> -P package_test.cmake
file(REMOVE_RECURSE ${FOLDER})
set(options -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER} -DCMAKE_BUILD_TYPE=Debug)
foreach(step
    "-S;${SDK};-B;${FOLDER}/sdk;${options}" "--build;${FOLDER}/sdk;-j2"
    "--install;${FOLDER}/sdk;--prefix;${FOLDER}/prefix"
    "-S;${CONSUMER};-B;${FOLDER}/consumer;-DCMAKE_PREFIX_PATH=${FOLDER}/prefix;${options}" "--build;${FOLDER}/consumer")
  execute_process(COMMAND ${CMAKE_COMMAND} ${step} COMMAND_ERROR_IS_FATAL ANY OUTPUT_QUIET)
endforeach()
execute_process(COMMAND ${FOLDER}/consumer/consumer COMMAND_ERROR_IS_FATAL ANY)
