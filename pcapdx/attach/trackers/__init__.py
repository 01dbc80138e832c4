"""One file a tracker, each ending in ``KIND``; :mod:`pcapdx.attach.kinds` finds them by walking this folder."""
