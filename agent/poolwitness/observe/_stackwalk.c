/* The walk of the level `trace`: what callers.walk() does in Python, in a fifth of its time.

   It calls the public C API alone and keeps nothing between two calls. hatch_build.py compiles it where that
   can be done; where it is not there, callers.py does without. */

#include <Python.h>
#include <frameobject.h> /* 3.11 has PyFrame_GetBack and PyFrame_GetLasti there */
#include <string.h>

/* A code object and an instruction for each of 128 frames, 2 KB: more than nearly all stacks have, and little
   even of the small stack that a thread may have been given. */
#define ROOM (2 * 128)

static PyObject *
whole(PyObject *Py_UNUSED(module), PyObject *frame)
{
    PyObject *room[ROOM], **items = room, *tuple = NULL;
    Py_ssize_t size = ROOM, used = 0;

    if (frame != Py_None && !PyFrame_Check(frame)) {
        return PyErr_Format(PyExc_TypeError, "whole() takes a frame or None, not '%.200s'", Py_TYPE(frame)->tp_name);
    }
    PyFrameObject *at = frame == Py_None ? NULL : (PyFrameObject *)Py_NewRef(frame);
    while (at != NULL) {
        if (used == size) {
            PyObject **more = items == room ? NULL : items;
            PyMem_Resize(more, PyObject *, 2 * (size_t)size);
            if (more == NULL) {
                PyErr_NoMemory();
                goto done;
            }
            if (items == room) {
                memcpy(more, room, sizeof(room));
            }
            items = more;
            size *= 2;
        }
        PyObject *instruction = PyLong_FromLong(PyFrame_GetLasti(at));
        if (instruction == NULL) {
            goto done;
        }
        items[used++] = (PyObject *)PyFrame_GetCode(at);
        items[used++] = instruction;
        PyFrameObject *back = PyFrame_GetBack(at);
        Py_DECREF(at);
        at = back;
    }
    /* PyFrame_GetBack has found no caller, or no memory for its frame. The tuple is not made before and filled
       meanwhile: gc.get_objects() would show it half full. */
    tuple = PyErr_Occurred() ? NULL : PyTuple_New(used);
    if (tuple != NULL) {
        while (used > 0) {
            used--;
            PyTuple_SET_ITEM(tuple, used, items[used]);
        }
    }
done:
    Py_XDECREF(at);
    while (used > 0) {
        Py_DECREF(items[--used]);
    }
    if (items != room) {
        PyMem_Free(items);
    }
    return tuple;
}

static PyMethodDef methods[] = {
    {"whole", whole, METH_O, "Every frame, for the level ``trace``."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
#ifdef Py_mod_multiple_interpreters /* 3.12 */
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#ifdef Py_mod_gil /* 3.13 */
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_stackwalk",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit__stackwalk(void)
{
    return PyModuleDef_Init(&module);
}
