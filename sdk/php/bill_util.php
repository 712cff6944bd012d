<?php
/**
 * What handlers, gates and modules written for the ancestor call: the names are known from such programs, the code is our
 * own. Installed as include/php/bill_util.php.
 *
 *   define('__MODULE__', 'myhandler');
 *   require_once 'bill_util.php';
 *
 * It logs to var/<__MODULE__>.log, calls functions by sbin/mgrctl, and never puts a value into an argument list.
 */

/** The installation: this file stands in include/php of it. */
define('GATEPOST_HOME', dirname(__DIR__, 2));

date_default_timezone_set('UTC');

$default_xml_string = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<doc/>\n";

/** A line of var/<__MODULE__>.log. What can't be written is dropped. */
function gatepost_log($level, $text)
{
    static $file = null;
    $name = defined('__MODULE__') ? __MODULE__ : basename($_SERVER['SCRIPT_NAME'] ?? 'php', '.php');
    if ($file === null) {
        $path = GATEPOST_HOME . '/var/' . preg_replace('/[^A-Za-z0-9_.-]/', '_', $name) . '.log';
        $file = is_link($path) ? false : @fopen($path, 'ab');
    }
    if ($file) {
        $text = preg_replace_callback(
            '/[\x00-\x08\x0b-\x1f\x7f]/',
            function ($found) {
                return sprintf('\\x%02x', ord($found[0]));
            },
            // Further lines are set in, so that none looks like one of ours.
            str_replace("\n", "\n    ", rtrim((string) $text))
        );
        @fwrite($file, date('M j H:i:s') . ' [' . getmypid() . "] $name $level $text\n");
    }
}

function Debug($str)
{
    gatepost_log('DEBUG', is_string($str) ? $str : print_r($str, true));
}

function Error($str)
{
    gatepost_log('ERROR', is_string($str) ? $str : print_r($str, true));
}

// PHP prints its warnings to stdout, where the document belongs.
set_error_handler(function ($number, $text, $file, $line) {
    if (error_reporting() & $number) {
        Error("$text in $file on line $line");
    }
    return true;
});

set_exception_handler(function ($exception) {
    if ($exception instanceof ISPErrorException) {
        echo $exception;
        exit(1);
    }
    Error((string) $exception);
    fwrite(STDERR, $exception->getMessage() . "\n");
    exit(70);
});

/**
 * An error, as a document when it is printed: <doc><error type= object=>…. Its message is the type.
 */
class ISPErrorException extends Exception
{
    private $about;
    private $value;
    private $named;

    public function __construct($message, $object = '', $value = '', $param = array())
    {
        parent::__construct($message);
        $this->about = (string) $object;
        $this->value = (string) $value;
        $this->named = $param;
        Error("Error: Type: '$message' Object: '$object'");
    }

    public function __toString(): string
    {
        $document = new DOMDocument('1.0', 'UTF-8');
        $error = $document->appendChild($document->createElement('doc'))
            ->appendChild($document->createElement('error'));
        $error->setAttribute('type', $this->getMessage());
        $named = array('value' => $this->value) + $this->named;
        if ($this->about !== '') {
            $error->setAttribute('object', $this->about);
            $named = array('object' => $this->about) + $named;
        }
        foreach ($named as $name => $text) {
            if ((string) $text !== '') {
                $param = $error->appendChild($document->createElement('param'));
                $param->setAttribute('name', $name);
                $param->appendChild($document->createTextNode((string) $text));
            }
        }
        return $document->saveXML();
    }
}

/**
 * Calls a function of this installation and gives its document, of an error too (look at ->error). The values go through a
 * pipe: no one reads them in the list of processes. $auth: the session to call it in; without one the caller may
 * everything.
 */
function LocalQuery($function, $param = array(), $auth = null)
{
    if ($auth !== null && $auth !== false && $auth !== '') {
        $param['auth'] = $auth;
    }
    $command = array(GATEPOST_HOME . '/sbin/mgrctl', '-m', 'billmgr', '-o', 'xml', (string) $function, '-');
    $pipes = array();
    $process = proc_open(
        $command,
        array(array('pipe', 'r'), array('pipe', 'w'), array('file', 'php://stderr', 'w')),
        $pipes
    );
    if (!is_resource($process)) {
        throw new ISPErrorException('mgrctl', $function);
    }
    fwrite($pipes[0], http_build_query(array_map('gatepost_text', (array) $param), '', '&', PHP_QUERY_RFC3986));
    fclose($pipes[0]);
    $answer = stream_get_contents($pipes[1]);
    fclose($pipes[1]);
    $code = proc_close($process);
    Debug("LocalQuery $function: exit $code, " . strlen($answer) . ' bytes');
    $document = simplexml_load_string($answer);
    if ($document === false) {
        throw new ISPErrorException('mgrctl', $function, "exit $code without a document");
    }
    return $document;
}

function gatepost_text($value)
{
    return is_bool($value) ? ($value ? 'on' : 'off') : (string) $value;
}

/**
 * Asks a service over HTTP and gives the body it answered. Certificates are checked. $param: a ready body, or an array
 * that becomes a form.
 */
function HttpQuery(
    $url,
    $param = '',
    $requesttype = 'POST',
    $username = '',
    $password = '',
    $header = array('Content-Type:application/json')
) {
    Debug("HttpQuery $requesttype " . strtok($url, '?'));
    $body = is_array($param) ? http_build_query($param) : (string) $param;
    $header = array_values((array) $header);
    if ($username !== '' || $password !== '') {
        $header[] = 'Authorization: Basic ' . base64_encode("$username:$password");
    }
    $options = array(
        'method' => $requesttype,
        'header' => $header,
        'content' => $body,
        'timeout' => 30,
        'ignore_errors' => true,
        'follow_location' => 0,
    );
    $answer = @file_get_contents($url, false, stream_context_create(array('http' => $options)));
    if ($answer === false) {
        throw new ISPErrorException('connection', 'url', strtok($url, '?'));
    }
    Debug('HttpQuery: ' . ($http_response_header[0] ?? '') . ', ' . strlen($answer) . ' bytes');
    return $answer;
}

/**
 * The parameters of the call: of the body when it is a POST, else of the query. Names with a dot stand there as they are,
 * and with a `_` in its place as PHP writes them. Without $skip_auth, `auth` is taken from the cookie when it is missing.
 */
function CgiInput($skip_auth = false)
{
    $text = (string) ($_SERVER['QUERY_STRING'] ?? '');
    if (($_SERVER['REQUEST_METHOD'] ?? '') === 'POST') {
        $size = (int) ($_SERVER['CONTENT_LENGTH'] ?? $_SERVER['HTTP_CONTENT_LENGTH'] ?? 0);
        $input = fopen('php://stdin', 'rb');
        $text = $size > 0 ? (string) stream_get_contents($input, $size) : '';
    }
    $param = json_decode($text, true);
    if (!is_array($param)) {
        $param = array();
        parse_str($text, $param);
        foreach (explode('&', $text) as $pair) {
            list($name, $value) = array_map('rawurldecode', explode('=', $pair, 2) + array('', ''));
            if (strpbrk($name, '. ') !== false) {
                $param[$name] = $value;
            }
        }
    }
    if (!$skip_auth && empty($param['auth'])) {
        $param['auth'] = '';
        foreach (explode(';', (string) ($_SERVER['HTTP_COOKIE'] ?? '')) as $cookie) {
            list($name, $value) = explode('=', trim($cookie), 2) + array('', '');
            if ($name === 'billmgrses5') {
                $param['auth'] = strtok(rawurldecode($value), ':');
            }
        }
    }
    return $param;
}

/** The address the call came from; empty when nobody knows. */
function ClientIp()
{
    foreach (array('HTTP_X_REAL_IP', 'REMOTE_ADDR', 'AUTH_IP') as $name) {
        if (!empty($_SERVER[$name])) {
            return $_SERVER[$name];
        }
    }
    return '';
}

/** Letters and digits that nobody guesses. */
function RandomStr($size = 8)
{
    $letters = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
    $text = '';
    for ($at = 0; $at < $size; $at++) {
        $text .= $letters[random_int(0, strlen($letters) - 1)];
    }
    return $text;
}

/**
 * The database of this installation, in the form the ancestor's programs know (a part of mysqli). Host, user and password
 * mean nothing here. Needs the package php-sqlite3.
 */
class DB
{
    public $error = '';
    public $errno = 0;
    public $insert_id = 0;
    public $affected_rows = 0;
    private $link;

    public function __construct($host = '', $user = '', $pass = '', $db = '')
    {
        if (!class_exists('SQLite3')) {
            throw new ISPErrorException('database', 'php-sqlite3', 'the package is missing');
        }
        $settings = (string) @file_get_contents(GATEPOST_HOME . '/etc/gatepost.toml');
        $path = 'var/gatepost.db';
        if (preg_match('/^\s*database\s*=\s*"sqlite:([^"]+)"/m', $settings, $found)) {
            $path = $found[1];
        }
        $path = $path[0] === '/' ? $path : GATEPOST_HOME . "/$path";
        try {
            $this->link = new SQLite3($path, SQLITE3_OPEN_READWRITE);
        } catch (Exception $exception) {
            throw new ISPErrorException('database', $path, $exception->getMessage());
        }
        $this->link->busyTimeout(5000);
    }

    /** DBResult for a query that gives rows, true for any other, false for a wrong one (see error). */
    public function query($sql)
    {
        $this->error = '';
        $this->errno = 0;
        $found = @$this->link->query($sql);
        if ($found === false) {
            $this->error = $this->link->lastErrorMsg();
            $this->errno = $this->link->lastErrorCode();
            Error("query: {$this->error}");
            return false;
        }
        $this->insert_id = $this->link->lastInsertRowID();
        $this->affected_rows = $this->link->changes();
        return $found->numColumns() > 0 ? new DBResult($found) : true;
    }

    public function real_escape_string($text)
    {
        return SQLite3::escapeString((string) $text);
    }

    public function escape_string($text)
    {
        return $this->real_escape_string($text);
    }

    public function close()
    {
        return $this->link->close();
    }
}

/** Rows, read at once. */
class DBResult implements IteratorAggregate
{
    public $num_rows = 0;
    private $rows = array();
    private $at = 0;

    public function __construct($found)
    {
        while ($row = $found->fetchArray(SQLITE3_ASSOC)) {
            // As mysqli gives them: texts, or null.
            $this->rows[] = array_map(function ($value) {
                return $value === null ? null : (string) $value;
            }, $row);
        }
        $this->num_rows = count($this->rows);
    }

    public function fetch_assoc()
    {
        return $this->rows[$this->at++] ?? null;
    }

    public function fetch_row()
    {
        $row = $this->fetch_assoc();
        return $row === null ? null : array_values($row);
    }

    public function fetch_array()
    {
        $row = $this->fetch_assoc();
        return $row === null ? null : $row + array_values($row);
    }

    public function fetch_object()
    {
        $row = $this->fetch_assoc();
        return $row === null ? null : (object) $row;
    }

    public function fetch_all()
    {
        return array_map('array_values', $this->rows);
    }

    public function free()
    {
        $this->rows = array();
    }

    public function getIterator(): Traversable
    {
        return new ArrayIterator($this->rows);
    }
}
