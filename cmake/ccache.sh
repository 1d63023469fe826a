#!/bin/sh
# Calls the compiler through ccache so that checkouts in different places share what they compile.
# ccache makes paths relative to CCACHE_BASEDIR, but overlooks the header that CMake forces in with -Xclang -include -Xclang PATH.
# The precompiled header itself is made anew in each: it names files of the checkout that it was made in, which may be gone.
for argument do
  shift
  case $argument in
    -emit-pch) export CCACHE_DISABLE=1 ;;
    "$PWD"/*/cmake_pch.hxx) argument=${argument#"$PWD"/} ;;
  esac
  set -- "$@" "$argument"
done
exec ccache "$@"
