# SPDX-License-Identifier: Apache-2.0
# For those who type make: each target is the same command of ./run.
PREFIX ?= /usr/local

.PHONY: demo test setup build install bench check crash fuzz
demo test setup build bench check crash fuzz:
	./run $@
install:
	./run install $(PREFIX)
