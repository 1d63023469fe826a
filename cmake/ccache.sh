#!/bin/sh
# Calls the compiler through ccache so that checkouts in different places share what they compile.
# ccache makes paths relative to CCACHE_BASEDIR, but overlooks the header that CMake forces in with -Xclang -include -Xclang PATH.
for argument do
  shift
  case $argument in
    "$PWD"/*/cmake_pch.hxx) argument=${argument#"$PWD"/} ;;
  esac
  set -- "$@" "$argument"
done
exec ccache "$@"
