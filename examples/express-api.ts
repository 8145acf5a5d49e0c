import express from 'express'
import { protect } from 'remit/verifier/express' // +

const { REMIT_ISSUER = 'http://127.0.0.1:4000', API_URL = 'http://127.0.0.1:3000' } = process.env
const app = express()
const guard = protect({ issuer: REMIT_ISSUER, audience: API_URL }) // +
app.use(guard({ scope: ['read'] })) // +
app.get('/pages/:id', (request, response) => {
  response.json({ page: request.params.id })
})
app.listen(Number(new URL(API_URL).port), '127.0.0.1')
