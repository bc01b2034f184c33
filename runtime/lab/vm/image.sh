#!/bin/sh
# image.sh DIRECTORY: makes what the lab's virtual machine boots from, out of
# Debian's cloud kernel package, without installing it. DIRECTORY becomes a
# symbolic link to DIRECTORY-RELEASE, which then holds
#
#   vmlinuz       the kernel
#   lib/modules   all its modules, indexed for modprobe
#   initrd        busybox, the modules that reach the host's files, and init
set -eu
PATH=$PATH:/usr/sbin:/sbin
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$(dirname "$1")"
target=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")

package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/.*Depends: \(linux-image-.*\)/\1/p')
if [ -z "$package" ]; then
	echo "$0: apt knows no linux-image-cloud-amd64; on Debian, \`apt-get update\` tells it" >&2
	exit 1
fi
release=${package#linux-image-}
image=$target-$release
work=$(mktemp -d "$target-XXXXXX")
trap 'rm -rf "$work"' EXIT

cd "$work"
if [ ! -f "$image/vmlinuz" ]; then
	apt-get -qq -o APT::Sandbox::User=root download "$package"
	dpkg-deb -x ./*.deb .
	mkdir image
	mv "boot/vmlinuz-$release" image/vmlinuz
	mv lib image/lib
	depmod -b image "$release"
	rm -rf "$image"
	mv image "$image"
fi

mkdir -p initrd/bin initrd/modules
cp "$(command -v busybox)" initrd/bin/busybox
cp "$here/init" initrd/init
modprobe -d "$image" -S "$release" --show-depends -a virtio_pci virtio_console virtiofs overlay |
	sed -n 's/^insmod //p' | while read -r module; do
		name=$(basename "$module")
		[ -f "initrd/modules/$name" ] || echo "$name" >>initrd/modules/order
		cp "$module" initrd/modules/
	done
(cd initrd && find . | cpio --quiet -o -H newc >"$image/initrd.new")
mv "$image/initrd.new" "$image/initrd"
ln -sfn "$(basename "$image")" "$target"
