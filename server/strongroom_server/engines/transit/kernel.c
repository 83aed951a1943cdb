/* Columns of Base64 texts sealed and opened in one call (docs/adr/0009-compiled-kernel.md).
 *
 * A batch of short texts costs Python more in objects and calls than in cryptography. Here a column goes through one
 * cipher context, keyed once, and one working buffer, straight into the bytes that are returned. `plain_kernel.py` says
 * the same in Python and is the specification: where the two differ, this one is wrong. All that is refused is refused
 * by TypeError or ValueError without further words: the caller then goes item by item to find out what to say.
 *
 * Only the stable ABI of Python 3.11 is used, so that one file serves every later version.
 */
#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <limits.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

enum { NONCE = 12, TAG = 16, SPARE = 2 };

static const struct {
    const char *kind;
    const EVP_CIPHER *(*cipher)(void);
} CIPHERS[] = {
    {"aes256-gcm96", EVP_aes_256_gcm},
    {"aes128-gcm96", EVP_aes_128_gcm},
    {"chacha20-poly1305", EVP_chacha20_poly1305},
};

/* ---- Base64 (RFC 4648, section 4), as strict as Go's StdEncoding but for line ends, which the caller takes care of -- */

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum { NO_DIGIT = 0xC0 }; /* has bits that no digit has, so that the digits of a text can be checked all at once */
static unsigned char DIGITS[UCHAR_MAX + 1];
static char PAIRS[64 * 64][2]; /* two signs for each twelve bits, which is half as many look-ups */

static Py_ssize_t padding_of(const char *text, Py_ssize_t length)
{
    if (length == 0 || text[length - 1] != '=')
        return 0;
    return text[length - 2] == '=' ? 2 : 1; /* there are four signs at least: see measure() */
}

static unsigned char decode_four(const unsigned char *from, Py_ssize_t padding, unsigned char *to)
{
    unsigned char a = DIGITS[from[0]], b = DIGITS[from[1]];
    unsigned char c = padding > 1 ? 0 : DIGITS[from[2]], d = padding > 0 ? 0 : DIGITS[from[3]];
    to[0] = (unsigned char)(a << 2 | b >> 4);
    to[1] = (unsigned char)(b << 4 | c >> 2);
    to[2] = (unsigned char)(c << 6 | d);
    return a | b | c | d;
}

/* Writes three bytes for every four signs, the last of them without meaning where there is padding; tells whether all
 * was Base64. `length` is a multiple of four. */
static int decode(const char *text, Py_ssize_t length, unsigned char *to)
{
    const unsigned char *from = (const unsigned char *)text;
    unsigned char seen = 0;
    for (; length > 4; length -= 4, from += 4, to += 3)
        seen |= decode_four(from, 0, to);
    if (length)
        seen |= decode_four(from, padding_of((const char *)from, length), to);
    return (seen & NO_DIGIT) == 0;
}

static Py_ssize_t encoded_length(Py_ssize_t size)
{
    return (size + 2) / 3 * 4;
}

static void encode_three(const unsigned char *from, char *to)
{
    unsigned bits = (unsigned)from[0] << 16 | (unsigned)from[1] << 8 | from[2];
    memcpy(to, PAIRS[bits >> 12], 2);
    memcpy(to + 2, PAIRS[bits & 0xFFF], 2);
}

/* Returns where the text ends. There must be two bytes more that may be written, as many as fill up three. */
static char *encode(unsigned char *from, Py_ssize_t size, char *to)
{
    from[size] = from[size + 1] = 0;
    for (; size > 0; size -= 3, from += 3, to += 4)
        encode_three(from, to);
    memset(to + size, '=', (size_t)-size);
    return to;
}

/* ---- One text. In `work` stand nonce, text and tag side by side, as they do in a ciphertext. ------------------------ */

static int seal_one(EVP_CIPHER_CTX *context, unsigned char *work, int size)
{
    unsigned char *text = work + NONCE, *tag = text + size;
    OSSL_PARAM wanted[] = {OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, tag, TAG), OSSL_PARAM_END};
    int written;
    return EVP_EncryptInit_ex2(context, NULL, NULL, work, NULL) == 1
        && EVP_EncryptUpdate(context, text, &written, text, size) == 1
        && EVP_EncryptFinal_ex(context, tag, &written) == 1
        && EVP_CIPHER_CTX_get_params(context, wanted) == 1;
}

static int open_one(EVP_CIPHER_CTX *context, unsigned char *work, int size)
{
    unsigned char *text = work + NONCE, *tag = text + size;
    OSSL_PARAM given[] = {OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, tag, TAG), OSSL_PARAM_END};
    int written;
    return EVP_DecryptInit_ex2(context, NULL, NULL, work, given) == 1
        && EVP_DecryptUpdate(context, text, &written, text, size) == 1
        && EVP_DecryptFinal_ex(context, tag, &written) == 1; /* Security 1: nothing is told of a text that is not whole */
}

/* ---- A column ------------------------------------------------------------------------------------------------------ */

typedef struct {
    const char *base64; /* within the text, which the list holds; nothing here runs Python code that could change it */
    Py_ssize_t length, size; /* of the Base64 and of what it stands for */
} Part;

typedef struct {
    const char *text;
    Py_ssize_t length;
} Word;

typedef struct {
    PyObject *texts; /* a list */
    const char *nonces; /* NULL: the texts are to be opened */
    Word head, before, between, after; /* what each text begins with; what stands around and between the results */
    Py_ssize_t count, room; /* `room`: for any of the texts decoded, nonce, tag, and what encode() fills */
    Part *parts;
    EVP_CIPHER_CTX *context;
    unsigned char *work;
} Column;

static int refuse(PyObject *error)
{
    PyErr_SetNone(error);
    return 0;
}

/* Finds a text's Base64; 0 with an exception set. */
static int take(const Column *column, Py_ssize_t index, Part *part)
{
    const Word *head = &column->head;
    const char *text = PyUnicode_AsUTF8AndSize(PyList_GetItem(column->texts, index), &part->length);
    if (text == NULL)
        return 0;
    part->length -= head->length;
    part->base64 = text + head->length;
    if (part->length < 0 || part->length % 4 || part->length > INT_MAX / 2) /* OpenSSL counts in int */
        return refuse(PyExc_ValueError);
    if (head->length && memcmp(text, head->text, (size_t)head->length))
        return refuse(PyExc_ValueError);
    part->size = part->length / 4 * 3 - padding_of(part->base64, part->length);
    return column->nonces || part->size >= NONCE + TAG || refuse(PyExc_ValueError);
}

/* Finds all parts, and `room`; returns the length of the answer, -1 with an exception set. */
static Py_ssize_t measure(Column *column)
{
    Py_ssize_t total = column->before.length + column->after.length;
    Py_ssize_t added = column->nonces ? NONCE + TAG : -NONCE - TAG;
    column->parts = PyMem_Calloc((size_t)column->count, sizeof *column->parts);
    if (column->parts == NULL)
        return refuse(PyExc_MemoryError) - 1;
    for (Py_ssize_t index = 0; index < column->count; index++) {
        Part *part = &column->parts[index];
        Py_ssize_t room, result;
        if (!take(column, index, part))
            return -1;
        room = part->length / 4 * 3 + NONCE + TAG + SPARE;
        column->room = room > column->room ? room : column->room;
        result = encoded_length(part->size + added) + (index ? column->between.length : 0);
        if (result > PY_SSIZE_T_MAX - total)
            return refuse(PyExc_MemoryError) - 1;
        total += result;
    }
    return total;
}

static int begin(Column *column, const char *kind, const unsigned char *key, Py_ssize_t key_length)
{
    const EVP_CIPHER *cipher = NULL;
    for (size_t i = 0; i < sizeof CIPHERS / sizeof CIPHERS[0]; i++)
        if (strcmp(kind, CIPHERS[i].kind) == 0)
            cipher = CIPHERS[i].cipher();
    if (cipher == NULL || EVP_CIPHER_get_key_length(cipher) != key_length)
        return refuse(PyExc_ValueError);
    column->work = PyMem_Malloc((size_t)column->room);
    column->context = EVP_CIPHER_CTX_new();
    if (column->work == NULL || column->context == NULL
        || EVP_CipherInit_ex2(column->context, cipher, key, NULL, column->nonces != NULL, NULL) != 1)
        return refuse(PyExc_MemoryError);
    return 1;
}

/* Security 2: neither key nor plaintext stays in memory that is given back. OpenSSL wipes its context by itself. */
static void end(Column *column)
{
    EVP_CIPHER_CTX_free(column->context);
    if (column->work != NULL)
        OPENSSL_cleanse(column->work, (size_t)column->room);
    PyMem_Free(column->work);
    PyMem_Free(column->parts);
}

static char *write_word(const Word *word, char *to)
{
    memcpy(to, word->text, (size_t)word->length);
    return to + word->length;
}

/* Writes the result of one text; returns where it ends, NULL where the text is not right. */
static char *write_one(const Column *column, Py_ssize_t index, char *to)
{
    const Part *part = &column->parts[index];
    unsigned char *work = column->work;
    int size = (int)part->size;
    if (!decode(part->base64, part->length, column->nonces ? work + NONCE : work))
        return NULL;
    if (column->nonces) {
        memcpy(work, column->nonces + index * NONCE, NONCE);
        return seal_one(column->context, work, size) ? encode(work, NONCE + size + TAG, to) : NULL;
    }
    size -= NONCE + TAG;
    return open_one(column->context, work, size) ? encode(work + NONCE, size, to) : NULL;
}

static int write_all(const Column *column, char *to)
{
    to = write_word(&column->before, to);
    for (Py_ssize_t index = 0; to != NULL && index < column->count; index++)
        to = write_one(column, index, index ? write_word(&column->between, to) : to);
    return to != NULL && write_word(&column->after, to) != NULL;
}

static PyObject *serve(Column *column, const char *kind, const char *key, Py_ssize_t key_length)
{
    PyObject *result = NULL;
    Py_ssize_t total = measure(column);
    if (total >= 0 && begin(column, kind, (const unsigned char *)key, key_length))
        result = PyBytes_FromStringAndSize(NULL, total);
    if (result != NULL && !write_all(column, PyBytes_AsString(result))) {
        OPENSSL_cleanse(PyBytes_AsString(result), (size_t)total); /* some plaintexts may be there */
        Py_CLEAR(result);
        refuse(PyExc_ValueError);
    }
    end(column);
    return result;
}

/* ---- What Python sees ---------------------------------------------------------------------------------------------- */

static PyObject *seal(PyObject *module, PyObject *arguments)
{
    Column column = {.head = {"", 0}};
    Word *before = &column.before, *between = &column.between, *after = &column.after;
    const char *kind, *key;
    Py_ssize_t key_length, nonces_length;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "sy#y#O!(y#y#y#):seal", &kind, &key, &key_length, &column.nonces, &nonces_length,
                          &PyList_Type, &column.texts, &before->text, &before->length, &between->text,
                          &between->length, &after->text, &after->length))
        return NULL;
    column.count = PyList_Size(column.texts);
    if (nonces_length % NONCE || nonces_length / NONCE != column.count) {
        refuse(PyExc_ValueError);
        return NULL;
    }
    return serve(&column, kind, key, key_length);
}

static PyObject *unseal(PyObject *module, PyObject *arguments)
{
    Column column = {.nonces = NULL};
    Word *before = &column.before, *between = &column.between, *after = &column.after;
    const char *kind, *key;
    Py_ssize_t key_length;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "sy#s#O!(y#y#y#):unseal", &kind, &key, &key_length, &column.head.text,
                          &column.head.length, &PyList_Type, &column.texts, &before->text, &before->length,
                          &between->text, &between->length, &after->text, &after->length))
        return NULL;
    column.count = PyList_Size(column.texts);
    return serve(&column, kind, key, key_length);
}

static int fill_tables(PyObject *module)
{
    (void)module;
    memset(DIGITS, NO_DIGIT, sizeof DIGITS);
    for (unsigned char digit = 0; digit < 64; digit++)
        DIGITS[(unsigned char)ALPHABET[digit]] = digit;
    for (unsigned bits = 0; bits < 64 * 64; bits++) {
        PAIRS[bits][0] = ALPHABET[bits >> 6];
        PAIRS[bits][1] = ALPHABET[bits & 63];
    }
    return 0;
}

static PyMethodDef METHODS[] = {
    {"seal", seal, METH_VARARGS, "Return the ciphertexts of a column of plaintexts."},
    {"unseal", unseal, METH_VARARGS, "Return the plaintexts of a column of ciphertexts."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot SLOTS[] = {{Py_mod_exec, fill_tables}, {0, NULL}};

static struct PyModuleDef MODULE = {
    PyModuleDef_HEAD_INIT, "_kernel", "Columns of Base64 texts, sealed and opened.", 0, METHODS, SLOTS, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__kernel(void)
{
    return PyModuleDef_Init(&MODULE);
}
