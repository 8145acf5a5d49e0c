import { config } from 'zod/mini'

// Imported before the first shape: the page's policy runs no text as code, and even asking would be reported.
config({ jitless: true })
