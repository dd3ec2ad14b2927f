-- The postgres image runs this once, as its superuser, when it makes the database.
\getenv password RUNTIME_PASSWORD
CREATE ROLE keyward_runtime LOGIN PASSWORD :'password';
REVOKE ALL ON DATABASE keyward FROM PUBLIC;
GRANT CONNECT ON DATABASE keyward TO keyward_runtime;
