# Foreign libraries, each as one imported target that exactly one folder links.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

# librdkafka >= 2.8: the system's, or the one that script/bootstrap built into the cache folder.
set(MR_CACHE_DIR "$ENV{HOME}/.cache/millrace" CACHE PATH
  "Where script/bootstrap keeps what it builds")
if(EXISTS ${MR_CACHE_DIR}/librdkafka/lib/pkgconfig/rdkafka.pc)
  set(ENV{PKG_CONFIG_PATH} "${MR_CACHE_DIR}/librdkafka/lib/pkgconfig:$ENV{PKG_CONFIG_PATH}")
endif()
pkg_check_modules(RDKAFKA REQUIRED IMPORTED_TARGET rdkafka>=2.8.0)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(WEBSOCKETS REQUIRED IMPORTED_TARGET libwebsockets>=4.1)
pkg_check_modules(OPENSSL REQUIRED IMPORTED_TARGET libssl libcrypto)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl>=7.85)

find_path(ROCKSDB_INCLUDE rocksdb/c.h REQUIRED)
find_library(ROCKSDB_LIBRARY rocksdb REQUIRED)
add_library(rocksdb INTERFACE)
target_include_directories(rocksdb SYSTEM INTERFACE ${ROCKSDB_INCLUDE})
target_link_libraries(rocksdb INTERFACE ${ROCKSDB_LIBRARY})

find_path(XXHASH_INCLUDE xxhash.h REQUIRED)

# Coordinator and workers: messages (protobuf-c) over nng, which has no pkg-config file everywhere.
pkg_check_modules(PROTOBUF_C REQUIRED IMPORTED_TARGET libprotobuf-c)
find_program(PROTOC_C_PROGRAM protoc-c REQUIRED)
find_path(NNG_INCLUDE nng/nng.h REQUIRED)
find_library(NNG_LIBRARY nng REQUIRED)
add_library(nng INTERFACE)
target_include_directories(nng SYSTEM INTERFACE ${NNG_INCLUDE})
target_link_libraries(nng INTERFACE ${NNG_LIBRARY})
