import { z } from 'zod'

/** RFC 7638 with SHA-256, in base64url: `cnf.jkt`, and our own `kid`. */
export const THUMBPRINT = /^[A-Za-z0-9_-]{43}$/
export const thumbprintSchema = z.string().regex(THUMBPRINT)
