/* How many characters must be inserted, deleted or replaced to make one text of another. */
#include <stdlib.h>
#include <string.h>

#define EXPORT(name) __attribute__((export_name(#name)))

/* -1 if there is no memory. Counts bytes, as ASCII text has one for each character. */
EXPORT(distance) int distance(const char *a, const char *b) {
    size_t columns = strlen(b);
    int *row = malloc((columns + 1) * sizeof *row);
    if (!row) return -1;
    for (size_t j = 0; j <= columns; j++) row[j] = (int)j;
    for (size_t i = 0; a[i]; i++) {
        int diagonal = row[0];
        row[0] = (int)i + 1;
        for (size_t j = 0; j < columns; j++) {
            int best = diagonal + (a[i] != b[j]);
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j + 1] + 1 < best) best = row[j + 1] + 1;
            diagonal = row[j + 1];
            row[j + 1] = best;
        }
    }
    int result = row[columns];
    free(row);
    return result;
}

/* The index of the word that is nearest to a text. */
EXPORT(nearest) size_t nearest(const char *text, const char *const *words, size_t count) {
    size_t found = 0;
    int least = -1;
    for (size_t i = 0; i < count; i++) {
        int edits = distance(text, words[i]);
        if (least < 0 || edits < least) least = edits, found = i;
    }
    return found;
}
